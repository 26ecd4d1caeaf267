#pragma once
/*
 * What the overlay programs read. All of it is written by heddled only. Reserved fields are 0 until
 * they get a meaning; a change of layout takes a new version in the map's name (maps.h).
 */
#include "ebpf/abi/types.h"

/* heddle_node: the only entry, key 0. All zero: no underlay. */
struct heddle_node {
	__u64 epoch;       /* answered to probes; 0: not answered */
	__u32 underlay;    /* ifindex whose clsact ingress decapsulates */
	__u32 vxlan;       /* ifindex of the collect-metadata VXLAN device */
	__be32 address;    /* outer source of what we send, outer destination of what we take */
	__be16 vxlan_port; /* UDP */
	__u8 mac[HEDDLE_MAC_BYTES]; /* the underlay device's */
	__u32 flags;                /* enum heddle_node_flag */
	__u32 reserved[7];
};
enum heddle_node_flag {
	/* The qdisc was added by us: it goes with our filter. */
	HEDDLE_NODE_OWNS_UNDERLAY_CLSACT = 1,
};

/* heddle_networks: one overlay network of this node, by VNI (host order, 24 bits used). */
struct heddle_network {
	__be32 subnet;
	__be32 mask;
	__be32 gateway; /* anycast: every node answers ARP for it with gateway_mac */
	__u8 gateway_mac[HEDDLE_MAC_BYTES];
	__u16 flags; /* enum heddle_network_flag */
	__u32 reserved[3];
};
enum heddle_network_flag {
	HEDDLE_NETWORK_INTERNAL = 1, /* nothing leaves the network */
};

/* heddle_addrs: where an overlay address lives. */
struct heddle_address_key {
	__u32 vni;      /* host order, 24 bits used (RFC 7348, section 5) */
	__be32 address; /* inner IPv4 */
};
struct heddle_address {
	__u32 ifindex; /* host side of the endpoint's veth; 0: remote */
	__be32 vtep;   /* the remote node's data address; 0: local */
	__u8 mac[HEDDLE_MAC_BYTES];
	__u16 flags;    /* enum heddle_address_flag; bit 0 will ask for encryption to the VTEP */
	__u32 identity; /* reserved: the workload's, for policy */
	__u32 reserved[3];
};
enum heddle_address_flag {
	/* Local, and its device limits the rate: packets pass through the device's queue. */
	HEDDLE_ADDRESS_QUEUED = 2,
};

/*
 * heddle_blocks: which node assigns the addresses of a prefix, as far as it is another one: a trie
 * of longest matches. It vouches for addresses that have no entry in heddle_addrs yet.
 */
struct heddle_block_key {
	__u32 bits;     /* that count of what follows: 32 and the prefix's length */
	__u32 vni;      /* host order; counts whole, so that its order does not matter */
	__be32 address; /* inner IPv4 */
};
#define HEDDLE_BLOCK_VNI_BITS 32
struct heddle_block {
	__be32 vtep;                /* the node's data address */
	__u8 mac[HEDDLE_MAC_BYTES]; /* of 0.0.0.0: an address is XORed into its last four bytes */
	__u16 flags;                /* reserved */
	__u32 reserved;
};

/* heddle_ports: what an endpoint may send as, by ifindex of its host side. */
struct heddle_port {
	__u32 vni;
	__be32 address;
	__u8 mac[HEDDLE_MAC_BYTES];
	__u16 flags;    /* reserved: bit 0 will ask for a policy verdict */
	__u32 identity; /* reserved: the workload's, for policy */
	__u32 reserved[3];
};

HEDDLE_ABI_ASSERT(sizeof(struct heddle_node) == 64);
HEDDLE_ABI_ASSERT(sizeof(struct heddle_network) == 32);
HEDDLE_ABI_ASSERT(sizeof(struct heddle_address_key) == 8);
HEDDLE_ABI_ASSERT(sizeof(struct heddle_address) == 32);
HEDDLE_ABI_ASSERT(sizeof(struct heddle_block_key) == 12);
HEDDLE_ABI_ASSERT(sizeof(struct heddle_block) == 16);
HEDDLE_ABI_ASSERT(sizeof(struct heddle_port) == 32);
