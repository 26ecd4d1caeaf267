/*
 * Overlay networks. from_container sees what an endpoint sends, from_underlay what arrives from
 * other nodes, from_vxlan what from_underlay left to the VXLAN device. All three run on clsact
 * ingress. Life of a packet: docs/packet.md.
 */
#include "ebpf/lib/deliver.h"
#include "ebpf/lib/probe.h"

#define ETH_BYTES sizeof(struct eth_header)
#define IP_BYTES sizeof(struct ipv4_header)
/* Outer IPv4 without options, UDP, VXLAN and the inner Ethernet header: what decapsulation removes.
 */
#define TUNNEL_BYTES                                                                               \
	(IP_BYTES + sizeof(struct udp_header) + sizeof(struct heddle_vxlan_header) + ETH_BYTES)
#define INNER_ETH                                                                                  \
	TUNNEL_BYTES /* the outer Ethernet header before it is as long as the inner one            \
		      */
#define INNER_IP (INNER_ETH + ETH_BYTES)
#define ECN_MASK 3
#define ECN_ECT_0 2

/*
 * The MAC of an endpoint of the network, or of an address that another node may have given to one
 * by now: that node knows, and writes the right MAC.
 */
static __always_inline bool find_mac(__u32 vni, __be32 address, __u8 *mac)
{
	struct heddle_address *owner = find_address(vni, address);
	struct heddle_block *block;

	if (owner) {
		__builtin_memcpy(mac, owner->mac, HEDDLE_MAC_BYTES);
		return true;
	}
	block = find_block(vni, address);
	if (!block)
		return false;
	block_mac(block, address, mac);
	return true;
}

/*
 * ARP never leaves the node. The gateway and every endpoint of the network are answered for from
 * the maps; an unknown address gets silence, so that the endpoint asks again until they know it.
 */
static __always_inline int answer_arp(struct __sk_buff *skb, const struct heddle_port *port,
				      const struct heddle_network *network)
{
	struct eth_header *eth = packet_head(skb, ETH_BYTES + sizeof(struct arp_ipv4));
	struct arp_ipv4 *arp = (void *)(eth + 1);
	__be32 target, sender;
	__u8 mac[HEDDLE_MAC_BYTES];

	if (!eth || arp->hardware != bpf_htons(ARPHRD_ETHER) ||
	    arp->protocol != bpf_htons(ETH_P_IP) || arp->hardware_bytes != HEDDLE_MAC_BYTES ||
	    arp->protocol_bytes != sizeof(__be32))
		return drop(skb, HEDDLE_DROP_MALFORMED);
	target = read_be32(arp->target);
	sender = read_be32(arp->sender);
	if (!same_mac(arp->sender_mac, port->mac))
		return drop(skb, HEDDLE_DROP_SPOOFED_MAC);
	/* 0.0.0.0 is a probe for a free address (RFC 5227, section 2.1.1). */
	if (sender != port->address && sender != 0)
		return drop(skb, HEDDLE_DROP_SPOOFED_SOURCE);
	/* The endpoint answers the host's stack. */
	if (arp->operation == bpf_htons(ARPOP_REPLY) && !(eth->to[0] & 1))
		return TC_ACT_UNSPEC;
	if (arp->operation != bpf_htons(ARPOP_REQUEST) || target == port->address)
		return drop(skb, HEDDLE_DROP_ARP_IGNORED);
	if (target == network->gateway) {
		__builtin_memcpy(mac, network->gateway_mac, sizeof(mac));
	} else if (!find_mac(port->vni, target, mac)) {
		return drop(skb, HEDDLE_DROP_NO_ENDPOINT);
	}
	__builtin_memcpy(eth->to, port->mac, HEDDLE_MAC_BYTES);
	__builtin_memcpy(eth->from, mac, HEDDLE_MAC_BYTES);
	arp->operation = bpf_htons(ARPOP_REPLY);
	__builtin_memcpy(arp->target_mac, port->mac, HEDDLE_MAC_BYTES);
	__builtin_memcpy(arp->target, &sender, sizeof(sender));
	__builtin_memcpy(arp->sender_mac, mac, HEDDLE_MAC_BYTES);
	__builtin_memcpy(arp->sender, &target, sizeof(target));
	return bpf_redirect(skb->ifindex, 0);
}

/* To the node that assigns the address, if one does: it has heard of its own endpoints first. */
static __always_inline int send_to_block(struct __sk_buff *skb, __u32 vni, __be32 address)
{
	struct heddle_block *block = find_block(vni, address);
	__u8 mac[HEDDLE_MAC_BYTES];

	if (!block)
		return drop(skb, HEDDLE_DROP_NO_ENDPOINT);
	block_mac(block, address, mac);
	return send_away(skb, vni, block->vtep, mac);
}

static __always_inline int forward_ipv4(struct __sk_buff *skb, const struct heddle_port *port,
					const struct heddle_network *network)
{
	struct eth_header *eth = packet_head(skb, ETH_BYTES + IP_BYTES);
	struct ipv4_header *ip = (void *)(eth + 1);
	struct heddle_address *to;
	__be32 destination;

	if (!eth || !well_formed(ip))
		return drop(skb, HEDDLE_DROP_MALFORMED);
	destination = ip->to;
	if ((eth->to[0] & 1) || is_group_address(destination))
		return drop(skb, HEDDLE_DROP_MULTICAST);
	if (ip->from != port->address)
		return drop(skb, HEDDLE_DROP_SPOOFED_SOURCE);
	if (destination == network->gateway)
		return leave_to_host(skb);
	if ((destination & network->mask) != network->subnet) {
		if (network->flags & HEDDLE_NETWORK_INTERNAL)
			return drop(skb, HEDDLE_DROP_INTERNAL_NETWORK);
		return leave_to_host(skb);
	}
	to = find_address(port->vni, destination);
	if (!to)
		return send_to_block(skb, port->vni, destination);
	if (to->ifindex)
		return deliver_here(skb, to);
	return send_away(skb, port->vni, to->vtep, to->mac);
}

SEC("tc")
int from_container(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex;
	struct heddle_network *network;
	struct heddle_port *port;
	struct eth_header *eth;

	note_packet(skb, 0, ETH_BYTES, 0);
	port = bpf_map_lookup_elem(&heddle_ports_v1, &ifindex);
	if (!port)
		return drop(skb, HEDDLE_DROP_NO_PORT);
	skb->cb[CB_VNI] = port->vni;
	network = bpf_map_lookup_elem(&heddle_networks_v1, &port->vni);
	if (!network)
		return drop(skb, HEDDLE_DROP_NO_NETWORK);
	eth = packet_head(skb, ETH_BYTES);
	if (!eth)
		return drop(skb, HEDDLE_DROP_MALFORMED);
	if (!same_mac(eth->from, port->mac))
		return drop(skb, HEDDLE_DROP_SPOOFED_MAC);
	if (eth->protocol == bpf_htons(ETH_P_IP))
		return forward_ipv4(skb, port, network);
	if (eth->protocol == bpf_htons(ETH_P_ARP))
		return answer_arp(skb, port, network);
	return drop(skb, HEDDLE_DROP_NOT_IPV4);
}

/*
 * A sender must live where its packet comes from. For an address that has no entry yet, the node
 * that assigns it vouches: endpoints send before other nodes hear of them. An address that is in no
 * node's block either is refused: a node could otherwise invent some.
 */
static __always_inline bool source_lives_at(struct __sk_buff *skb, __u32 vni, __be32 source,
					    __be32 vtep, int *verdict)
{
	struct heddle_address *from = find_address(vni, source);
	struct heddle_block *block;
	__be32 home;

	if (from) {
		home = from->vtep;
	} else {
		block = find_block(vni, source);
		if (!block) {
			*verdict = drop(skb, HEDDLE_DROP_UNKNOWN_SOURCE);
			return false;
		}
		home = block->vtep;
	}
	if (home == vtep)
		return true;
	*verdict = drop(skb, HEDDLE_DROP_SPOOFED_SOURCE);
	return false;
}

/*
 * True for an outer packet that can be opened by cutting its front off. The stack and the VXLAN
 * device know better what to do with options, fragments, checksums over the whole packet, other
 * VXLAN flags, and marks of congestion that have to be copied inwards (RFC 6040, section 4.2).
 */
static __always_inline bool can_be_cut(const struct ipv4_header *outer,
				       const struct udp_header *udp,
				       const struct heddle_vxlan_header *vxlan,
				       const struct eth_header *eth,
				       const struct ipv4_header *inner)
{
	__u8 outer_ecn = outer->tos & ECN_MASK;

	return outer->version_words == PLAIN_IPV4 && !udp->checksum &&
	       vxlan->flags == HEDDLE_VXLAN_FLAG_VNI && eth->protocol == bpf_htons(ETH_P_IP) &&
	       well_formed(inner) &&
	       (outer_ecn == (inner->tos & ECN_MASK) || outer_ecn == ECN_ECT_0 || !outer_ecn);
}

static __always_inline __u32 vni_of(const struct heddle_vxlan_header *vxlan)
{
	return (__u32)vxlan->vni[0] << 16 | (__u32)vxlan->vni[1] << 8 | vxlan->vni[2];
}

/*
 * A large frame keeps the tunnel's mark in its segmentation type when it is cut here: no helper of
 * 6.1 takes it off. TCP's segmentation ignores it; UDP's would look for the tunnel
 * (udp4_ufo_fragment).
 */
static __always_inline bool is_large_udp(const struct __sk_buff *skb,
					 const struct ipv4_header *inner)
{
	return skb->gso_size && inner->protocol != IPPROTO_TCP;
}

static __always_inline int open_and_deliver(struct __sk_buff *skb)
{
	struct eth_header *first = packet_head(skb, INNER_IP + IP_BYTES);
	struct ipv4_header *outer = (void *)(first + 1);
	struct udp_header *udp = (void *)(outer + 1);
	struct heddle_vxlan_header *vxlan = (void *)(udp + 1);
	struct eth_header *eth = (void *)(vxlan + 1);
	struct ipv4_header *inner = (void *)(eth + 1);
	struct heddle_address *to;
	__u8 sender[HEDDLE_MAC_BYTES];
	int verdict;
	__u32 vni;

	if (!first || !can_be_cut(outer, udp, vxlan, eth, inner) || is_large_udp(skb, inner))
		return TC_ACT_UNSPEC;
	vni = vni_of(vxlan);
	to = find_address(vni, inner->to);
	if (!to || !to->ifindex)
		return TC_ACT_UNSPEC;
	note_packet(skb, vni, INNER_IP, outer->from);
	if (!source_lives_at(skb, vni, inner->from, outer->from, &verdict))
		return verdict;
	__builtin_memcpy(sender, eth->from, sizeof(sender));
	/* The segment size is the inner one already: FIXED_GSO. */
	if (bpf_skb_adjust_room(skb, -(int)TUNNEL_BYTES, BPF_ADJ_ROOM_MAC,
				BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET))
		return TC_ACT_UNSPEC;
	skb->cb[CB_IP_AT] = ETH_BYTES;
	/* What the device verified counts from the outer UDP header, which is gone. */
	bpf_csum_level(skb, BPF_CSUM_LEVEL_DEC);
	if (bpf_skb_store_bytes(skb, HEDDLE_MAC_BYTES, sender, sizeof(sender), 0))
		return drop(skb, HEDDLE_DROP_HELPER_FAILED);
	return deliver_here(skb, to);
}

SEC("tc")
int from_underlay(struct __sk_buff *skb)
{
	struct heddle_node *node;
	struct eth_header *eth;
	struct udp_header *udp;
	struct ipv4_header *ip;

	if (skb->protocol != bpf_htons(ETH_P_IP) || skb->vlan_present)
		return TC_ACT_UNSPEC;
	eth = packet_head(skb, ETH_BYTES + IP_BYTES + sizeof(*udp));
	node = find_node();
	if (!eth || !node || !node->vxlan)
		return TC_ACT_UNSPEC;
	ip = (void *)(eth + 1);
	udp = (void *)(ip + 1);
	if (ip->protocol != IPPROTO_UDP || ip->to != node->address ||
	    ip->version_words != PLAIN_IPV4 ||
	    (ip->fragment & bpf_htons(IP_MORE_FRAGMENTS_OR_OFFSET)) || udp->to != node->vxlan_port)
		return TC_ACT_UNSPEC;
	note_packet(skb, 0, ETH_BYTES, ip->from);
	if (is_probe(skb))
		return answer_probe(skb, node);
	return open_and_deliver(skb);
}

SEC("tc")
int from_vxlan(struct __sk_buff *skb)
{
	struct bpf_tunnel_key key = {};
	struct heddle_address *to;
	struct eth_header *eth;
	struct ipv4_header *ip;
	int verdict;

	note_packet(skb, 0, ETH_BYTES, 0);
	if (bpf_skb_get_tunnel_key(skb, &key, sizeof(key), 0))
		return drop(skb, HEDDLE_DROP_NO_TUNNEL_KEY);
	skb->cb[CB_VNI] = key.tunnel_id;
	skb->cb[CB_NODE] = bpf_htonl(key.remote_ipv4);
	if (!bpf_map_lookup_elem(&heddle_networks_v1, &key.tunnel_id))
		return drop(skb, HEDDLE_DROP_NO_NETWORK);
	if (skb->protocol != bpf_htons(ETH_P_IP))
		return drop(skb, HEDDLE_DROP_NOT_IPV4);
	eth = packet_head(skb, ETH_BYTES + IP_BYTES);
	ip = (void *)(eth + 1);
	if (!eth || !well_formed(ip))
		return drop(skb, HEDDLE_DROP_MALFORMED);
	to = find_address(key.tunnel_id, ip->to);
	if (!to)
		return drop(skb, HEDDLE_DROP_NO_ENDPOINT);
	if (!to->ifindex)
		return drop(skb, HEDDLE_DROP_NOT_LOCAL);
	if (!source_lives_at(skb, key.tunnel_id, ip->from, bpf_htonl(key.remote_ipv4), &verdict))
		return verdict;
	return deliver_here(skb, to);
}

char _license[] SEC("license") = "GPL";
