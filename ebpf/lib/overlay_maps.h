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
