#pragma once
/* Parsing. One bounds check for all headers that are looked at together. */
#include "ebpf/abi/probe.h"
#include "ebpf/lib/kernel.h"

/*
 * Own definitions: what vmlinux.h offers is relocated at load against the running kernel's types,
 * and the VXLAN header's are absent where that driver is a module.
 */
struct eth_header {
	__u8 to[HEDDLE_MAC_BYTES];
	__u8 from[HEDDLE_MAC_BYTES];
	__be16 protocol;
};

struct ipv4_header { /* RFC 791 */
	__u8 version_words;
	__u8 tos;
	__be16 total_bytes;
	__be16 id;
	__be16 fragment;
	__u8 ttl;
	__u8 protocol;
	__be16 checksum;
	__be32 from;
	__be32 to;
};

struct udp_header {
	__be16 from;
	__be16 to;
	__be16 bytes;
	__be16 checksum; /* 0: none */
};
HEDDLE_ABI_ASSERT(sizeof(struct eth_header) == 14);
HEDDLE_ABI_ASSERT(sizeof(struct ipv4_header) == 20);
HEDDLE_ABI_ASSERT(sizeof(struct udp_header) == 8);

#define PLAIN_IPV4 0x45 /* version 4, 5 words: no options */

/* RFC 826, for IPv4 over Ethernet. */
struct arp_ipv4 {
	__be16 hardware;
	__be16 protocol;
	__u8 hardware_bytes;
	__u8 protocol_bytes;
	__be16 operation;
	__u8 sender_mac[HEDDLE_MAC_BYTES];
	__u8 sender[4]; /* unaligned in the packet */
	__u8 target_mac[HEDDLE_MAC_BYTES];
	__u8 target[4];
};
HEDDLE_ABI_ASSERT(sizeof(struct arp_ipv4) == 28);

#define skb_pointer(skb, field) ((void *)load_field("u32", skb, struct __sk_buff, field))

/* The packet's first `bytes`, made readable if they are not yet, or NULL when it is shorter. */
static __always_inline void *packet_head(struct __sk_buff *skb, const __u32 bytes)
{
	void *head = skb_pointer(skb, data);
	void *end = skb_pointer(skb, data_end);

	if (head + bytes <= end)
		return head;
	if (skb->len < bytes || bpf_skb_pull_data(skb, bytes))
		return NULL;
	head = skb_pointer(skb, data);
	end = skb_pointer(skb, data_end);
	return head + bytes <= end ? head : NULL;
}

static __always_inline bool same_mac(const __u8 *a, const __u8 *b)
{
	return ((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]) | (a[4] ^ b[4]) |
		(a[5] ^ b[5])) == 0;
}

static __always_inline __be32 read_be32(const __u8 *from)
{
	__be32 value;

	__builtin_memcpy(&value, from, sizeof(value));
	return value;
}

/* A header that is at least what it says. Options are allowed. */
static __always_inline bool well_formed(const struct ipv4_header *ip)
{
	__u32 words = ip->version_words & 0x0f;

	return ip->version_words >> 4 == 4 && words >= 5 && bpf_ntohs(ip->total_bytes) >= words * 4;
}

static __always_inline bool is_group_address(__be32 address)
{
	return (address & bpf_htonl(0xf0000000)) == bpf_htonl(0xe0000000) ||
	       address == bpf_htonl(0xffffffff);
}
