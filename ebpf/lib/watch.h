#pragma once
/* Telling those who watch. The first test is all that it costs while nobody does. */
#include "ebpf/abi/drop.h"
#include "ebpf/abi/flow.h"
#include "ebpf/abi/maps.h"
#include "ebpf/lib/kernel.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct heddle_watch);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} heddle_watch_v1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, HEDDLE_FLOWS_BYTES);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} heddle_flows_v1 SEC(".maps");

static __always_inline struct heddle_watch *find_watch(void)
{
	__u32 zero = 0;
	struct heddle_watch *watch = bpf_map_lookup_elem(&heddle_watch_v1, &zero);

	if (!watch || !watch->one_of)
		return NULL;
	return bpf_ktime_get_ns() < watch->until ? watch : NULL;
}

static __always_inline bool is_sampled(const struct heddle_watch *watch)
{
	__u32 one_of = watch->one_of;

	return one_of <= 1 || bpf_get_prandom_u32() % one_of == 0;
}

/* Zeroed, with the time; the caller submits it. NULL: the ring is full, which is counted. */
static __always_inline struct heddle_flow_event *begin_event(struct heddle_watch *watch)
{
	struct heddle_flow_event *event;

	event = bpf_ringbuf_reserve(&heddle_flows_v1, sizeof(*event), 0);
	if (!event) {
		__sync_fetch_and_add(&watch->lost, 1);
		return NULL;
	}
	__builtin_memset(event, 0, sizeof(*event));
	event->time = bpf_ktime_get_ns();
	return event;
}
