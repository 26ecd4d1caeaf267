#pragma once
/* Packets, for who watches. */
#include "ebpf/lib/packet.h"
#include "ebpf/lib/watch.h"

/*
 * What a program has found out of the packet so far, in the packet's control block: the programs
 * that drop, deliver and send on are the same for all hooks.
 */
#define CB_VNI 0
#define CB_IP_AT 1 /* where the inner IP header is, or would be */
#define CB_NODE 2  /* that it came from, goes to; 0: this one */

static __always_inline void note_packet(struct __sk_buff *skb, __u32 vni, __u32 ip_at, __be32 node)
{
	skb->cb[CB_VNI] = vni;
	skb->cb[CB_IP_AT] = ip_at;
	skb->cb[CB_NODE] = node;
}

static __always_inline bool has_ports(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

static __always_inline void read_ipv4(struct __sk_buff *skb, __u32 at,
				      struct heddle_flow_event *event)
{
	struct ipv4_header ip = {};
	__be16 ports[2] = {};

	if (bpf_skb_load_bytes(skb, at, &ip, sizeof(ip)))
		return;
	event->from = ip.from;
	event->to = ip.to;
	event->protocol = ip.protocol;
	if (!has_ports(ip.protocol) || (ip.fragment & bpf_htons(IP_OFFSET)) ||
	    bpf_skb_load_bytes(skb, at + (ip.version_words & 0x0f) * 4, ports, sizeof(ports)))
		return;
	event->from_port = ports[0];
	event->to_port = ports[1];
}

static __always_inline void read_arp(struct __sk_buff *skb, __u32 at,
				     struct heddle_flow_event *event)
{
	struct arp_ipv4 arp = {};

	if (bpf_skb_load_bytes(skb, at, &arp, sizeof(arp)))
		return;
	event->from = read_be32(arp.sender);
	event->to = read_be32(arp.target);
}

static __noinline int tell_packet(struct __sk_buff *skb, struct heddle_watch *watch, __u32 verdict,
				  __u32 reason)
{
	struct heddle_flow_event *event;
	__u32 at = skb->cb[CB_IP_AT];

	if (!watch)
		return 0;
	event = begin_event(watch);
	if (!event)
		return 0;
	event->verdict = verdict;
	event->reason = reason;
	event->vni = skb->cb[CB_VNI];
	event->node = skb->cb[CB_NODE];
	event->bytes = skb->len;
	bpf_skb_load_bytes(skb, at - sizeof(event->ethertype), &event->ethertype,
			   sizeof(event->ethertype));
	if (event->ethertype == bpf_htons(ETH_P_IP))
		read_ipv4(skb, at, event);
	else if (event->ethertype == bpf_htons(ETH_P_ARP))
		read_arp(skb, at, event);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

/* A packet that goes on. */
static __always_inline void seen(struct __sk_buff *skb, enum heddle_flow_verdict verdict)
{
	struct heddle_watch *watch = find_watch();

	if (watch && is_sampled(watch))
		tell_packet(skb, watch, verdict, 0);
}
