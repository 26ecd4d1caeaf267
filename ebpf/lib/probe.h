#pragma once
/* Answering a peer's probe in place. */
#include "ebpf/abi/probe.h"
#include "ebpf/lib/deliver.h"

#define HEDDLE_PROBE_BYTES sizeof(struct heddle_probe_packet)
#define PROBE_AT                                                                                   \
	(sizeof(struct eth_header) + sizeof(struct ipv4_header) + sizeof(struct udp_header))

static __always_inline bool is_probe(struct __sk_buff *skb)
{
	void *head = packet_head(skb, PROBE_AT + HEDDLE_PROBE_BYTES);
	struct heddle_probe_packet *packet = head + PROBE_AT;

	return head && packet->vxlan.flags == HEDDLE_VXLAN_FLAG_VNI && !packet->vxlan.vni[0] &&
	       !packet->vxlan.vni[1] && !packet->vxlan.vni[2] &&
	       packet->probe.magic == bpf_htonl(HEDDLE_PROBE_MAGIC) &&
	       packet->probe.version == HEDDLE_PROBE_VERSION &&
	       packet->probe.kind == HEDDLE_PROBE_REQUEST;
}

/*
 * Swapped addresses and ports leave both checksums as they are; kind, epoch and TTL are carried
 * over by difference, which is right for checksums that the device still has to complete as well.
 */
static __always_inline int answer_probe(struct __sk_buff *skb, const struct heddle_node *node)
{
	const __u32 ip_at = sizeof(struct eth_header), udp_at = ip_at + sizeof(struct ipv4_header);
	struct eth_header *eth = packet_head(skb, PROBE_AT + HEDDLE_PROBE_BYTES);
	struct ipv4_header *ip = (void *)(eth + 1);
	struct udp_header *udp = (void *)(ip + 1);
	struct heddle_probe_packet *packet = (void *)(udp + 1);
	struct heddle_probe before, after;
	__u8 mac[HEDDLE_MAC_BYTES];
	__be16 hops_before, hops_after;
	__be32 address;
	__be16 port;
	__s64 diff;

	if (!node->epoch)
		return drop(skb, HEDDLE_DROP_PROBE_NOT_READY);
	if (!eth)
		return drop(skb, HEDDLE_DROP_MALFORMED);
	before = packet->probe;
	after = before;
	after.kind = HEDDLE_PROBE_REPLY;
	after.epoch = bpf_cpu_to_be64(node->epoch);
	packet->probe = after;

	__builtin_memcpy(mac, eth->to, sizeof(mac));
	__builtin_memcpy(eth->to, eth->from, sizeof(mac));
	__builtin_memcpy(eth->from, mac, sizeof(mac));
	address = ip->to;
	ip->to = ip->from;
	ip->from = address;
	port = udp->to;
	udp->to = udp->from;
	udp->from = port;
	hops_before = bpf_htons(ip->ttl << 8 | ip->protocol);
	ip->ttl = 64;
	hops_after = bpf_htons(ip->ttl << 8 | ip->protocol);

	diff = bpf_csum_diff((__be32 *)&before, sizeof(before), (__be32 *)&after, sizeof(after), 0);
	if (bpf_l3_csum_replace(skb, ip_at + __builtin_offsetof(struct ipv4_header, checksum),
				hops_before, hops_after, sizeof(hops_before)) ||
	    bpf_l4_csum_replace(skb, udp_at + __builtin_offsetof(struct udp_header, checksum), 0,
				diff, BPF_F_MARK_MANGLED_0))
		return drop(skb, HEDDLE_DROP_HELPER_FAILED);
	return bpf_redirect(skb->ifindex, 0);
}
