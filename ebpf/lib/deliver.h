#pragma once
/* The ways onwards: into an endpoint of this node, to the node that has it, to the host, or
 * nowhere. */
#include "ebpf/lib/drop.h"
#include "ebpf/lib/overlay_maps.h"
#include "ebpf/lib/packet.h"
#include "ebpf/lib/watch_packet.h"

static __always_inline int drop(struct __sk_buff *skb, enum heddle_drop_reason reason)
{
	struct heddle_watch *watch = find_watch();

	count_drop(reason, skb->len);
	if (watch)
		tell_packet(skb, watch, HEDDLE_FLOW_DROPPED, reason);
	return TC_ACT_SHOT;
}

/* On to the next filter and the host's stack. */
static __always_inline int leave_to_host(struct __sk_buff *skb)
{
	seen(skb, HEDDLE_FLOW_HOST);
	return TC_ACT_UNSPEC;
}

/*
 * Straight into the endpoint's namespace, past the host's stack. The packet was classed by the
 * destination it had when it arrived: without the new type the endpoint's IP layer would ignore it.
 * An endpoint with a limited rate has a queue on the host side of its pair, which a redirect to the
 * peer would pass by.
 */
static __always_inline int deliver_here(struct __sk_buff *skb, const struct heddle_address *to)
{
	__u8 mac[HEDDLE_MAC_BYTES];

	__builtin_memcpy(mac, to->mac, sizeof(mac));
	if (bpf_skb_store_bytes(skb, 0, mac, sizeof(mac), 0) ||
	    bpf_skb_change_type(skb, PACKET_HOST))
		return drop(skb, HEDDLE_DROP_HELPER_FAILED);
	skb->mark = 0;
	seen(skb, HEDDLE_FLOW_DELIVERED);
	if (to->flags & HEDDLE_ADDRESS_QUEUED)
		return bpf_redirect(to->ifindex, 0);
	return bpf_redirect_peer(to->ifindex, 0);
}

/* Through the VXLAN device, which takes the tunnel from the key. remote_ipv4 is in host order. */
static __always_inline int send_away(struct __sk_buff *skb, __u32 vni, __be32 vtep,
				     const __u8 *to_mac)
{
	struct heddle_node *node = find_node();
	struct bpf_tunnel_key key = {
		.tunnel_id = vni,
		.remote_ipv4 = bpf_ntohl(vtep),
		.tunnel_ttl = 64,
	};
	__u8 mac[HEDDLE_MAC_BYTES];

	if (!node || !node->vxlan)
		return drop(skb, HEDDLE_DROP_NO_UNDERLAY);
	key.local_ipv4 = bpf_ntohl(node->address);
	__builtin_memcpy(mac, to_mac, sizeof(mac));
	if (bpf_skb_store_bytes(skb, 0, mac, sizeof(mac), 0) ||
	    bpf_skb_set_tunnel_key(skb, &key, sizeof(key), BPF_F_ZERO_CSUM_TX))
		return drop(skb, HEDDLE_DROP_HELPER_FAILED);
	skb->mark = 0;
	skb->cb[CB_NODE] = vtep;
	seen(skb, HEDDLE_FLOW_FORWARDED);
	return bpf_redirect(node->vxlan, 0);
}
