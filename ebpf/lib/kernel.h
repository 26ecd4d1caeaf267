#pragma once
/* The kernel's types and helpers, and the few macros that BTF cannot carry. */
#include "ebpf/abi/types.h"
/* after the types */
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ETH_P_IP 0x0800
#define ETH_P_ARP 0x0806
#define ARPOP_REQUEST 1
#define ARPOP_REPLY 2
#define ARPHRD_ETHER 1
#define TC_ACT_UNSPEC (-1) /* on to the next filter, then the stack: others may filter too */
#define TC_ACT_SHOT 2
#define PACKET_HOST 0 /* linux/if_packet.h */
#define AF_INET 2
#define AF_INET6 10
#define SOL_IP 0
#define SOL_IPV6 41
#define SO_ORIGINAL_DST 80 /* linux/netfilter_ipv4.h; IP6T_SO_ORIGINAL_DST is equal */
#define IP_MORE_FRAGMENTS_OR_OFFSET 0x3fff
#define IP_OFFSET 0x1fff

/* Before errno.h could be had: values of x86, arm64 and riscv alike. */
#define ECONNREFUSED 111
#define ENOBUFS 105

/*
 * A field of a context or socket, loaded at a constant offset: where two branches load different
 * fields, clang otherwise computes the address first, and the verifier refuses such a pointer once
 * it was added to (seen with clang 19 on 6.18). `width` is the field's: "u16", "u32".
 */
#define load_field(width, object, type, field)                                                     \
	({                                                                                         \
		__u64 value_;                                                                      \
		asm volatile(                                                                      \
			"%[to_] = *(" width " *)(%[from_] + %[offset_])"                           \
			: [to_] "=r"(value_)                                                       \
			: [from_] "r"(object), [offset_] "i"(__builtin_offsetof(type, field)));    \
		value_;                                                                            \
	})

static __always_inline bool is_loopback(__be32 address)
{
	return (address & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000);
}
