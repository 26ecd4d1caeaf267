#pragma once
#include "ebpf/abi/maps.h"
#include "ebpf/abi/overlay.h"
#include "ebpf/lib/kernel.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HEDDLE_NODE_MAX);
	__type(key, __u32);
	__type(value, struct heddle_node);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} heddle_node_v1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HEDDLE_NETWORKS_MAX);
	__type(key, __u32);
	__type(value, struct heddle_network);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} heddle_networks_v1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HEDDLE_ADDRESSES_MAX);
	__type(key, struct heddle_address_key);
	__type(value, struct heddle_address);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} heddle_addrs_v1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HEDDLE_BLOCKS_MAX);
	__type(key, struct heddle_block_key);
	__type(value, struct heddle_block);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} heddle_blocks_v1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HEDDLE_PORTS_MAX);
	__type(key, __u32);
	__type(value, struct heddle_port);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} heddle_ports_v1 SEC(".maps");

static __always_inline struct heddle_node *find_node(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&heddle_node_v1, &zero);
}

static __always_inline struct heddle_address *find_address(__u32 vni, __be32 address)
{
	struct heddle_address_key key = {.vni = vni, .address = address};

	return bpf_map_lookup_elem(&heddle_addrs_v1, &key);
}

/* For addresses without an entry: the block of another node that they lie in. */
static __always_inline struct heddle_block *find_block(__u32 vni, __be32 address)
{
	struct heddle_block_key key = {
		.bits = HEDDLE_BLOCK_VNI_BITS + 32,
		.vni = vni,
		.address = address,
	};

	return bpf_map_lookup_elem(&heddle_blocks_v1, &key);
}

/* The MAC that the block's node gives the address unless somebody asked for another. */
static __always_inline void block_mac(const struct heddle_block *block, __be32 address, __u8 *mac)
{
	const __u8 *bytes = (const __u8 *)&address;

	__builtin_memcpy(mac, block->mac, HEDDLE_MAC_BYTES);
	mac[2] ^= bytes[0];
	mac[3] ^= bytes[1];
	mac[4] ^= bytes[2];
	mac[5] ^= bytes[3];
}
