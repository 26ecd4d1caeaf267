#pragma once
#include "ebpf/abi/maps.h"
#include "ebpf/abi/socket.h"
#include "ebpf/lib/kernel.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HEDDLE_SERVICES_MAX);
	__type(key, struct heddle_service_key);
	__type(value, struct heddle_service);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} heddle_services_v1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HEDDLE_BACKENDS_MAX);
	__type(key, struct heddle_backend_key);
	__type(value, struct heddle_backend);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} heddle_backends_v1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, HEDDLE_AFFINITY_MAX);
	__type(key, struct heddle_affinity_key);
	__type(value, struct heddle_affinity);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} heddle_affinity_v1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HEDDLE_MEMBERS_MAX);
	__type(key, struct heddle_member_key);
	__type(value, struct heddle_member);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} heddle_members_v1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HEDDLE_INTERCEPTS_MAX);
	__type(key, __u64);
	__type(value, struct heddle_intercept);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} heddle_intercepts_v1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, HEDDLE_ORIGINALS_MAX);
	__type(key, struct heddle_original_key);
	__type(value, struct heddle_original);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} heddle_originals_v1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct heddle_socket);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} heddle_sockets_v1 SEC(".maps");
