#pragma once
/* Counting what is refused, by reason and CPU. */
#include "ebpf/abi/drop.h"
#include "ebpf/abi/maps.h"
#include "ebpf/lib/kernel.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, HEDDLE_DROPS_MAX);
	__type(key, __u32);
	__type(value, struct heddle_drop_counter);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} heddle_drops_v1 SEC(".maps");

static __always_inline void count_drop(__u32 reason, __u32 bytes)
{
	struct heddle_drop_counter *counter = bpf_map_lookup_elem(&heddle_drops_v1, &reason);

	if (counter) {
		counter->packets += 1;
		counter->bytes += bytes;
	}
}
