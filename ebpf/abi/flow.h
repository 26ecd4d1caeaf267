#pragma once
/*
 * What the programs decide, for who watches: events in a ring. Nothing is recorded while nobody
 * does. Refusals are recorded each, what goes on is sampled; a full ring counts what it lost.
 */
#include "ebpf/abi/types.h"

/* heddle_watch: the only entry, key 0. Written by heddled, but for `lost`. */
struct heddle_watch {
	__u64 until;  /* bpf_ktime_get_ns(); a daemon that died is watching no more */
	__u32 one_of; /* what goes on: one of so many; 0: nobody watches */
	__u32 lost;   /* events that found the ring full; wraps */
};

enum heddle_flow_verdict {
	HEDDLE_FLOW_DELIVERED, /* into an endpoint of this node */
	HEDDLE_FLOW_FORWARDED, /* to another node */
	HEDDLE_FLOW_HOST,      /* to the host's stack */
	HEDDLE_FLOW_DROPPED,
	HEDDLE_FLOW_BALANCED, /* calls: to a backend */
	HEDDLE_FLOW_STEERED,  /* to the sidecar or the resolver */
	HEDDLE_FLOW_REFUSED,
	HEDDLE_FLOW_VERDICTS
};

/* heddle_flows: a ring of these. */
struct heddle_flow_event {
	__u64 time;    /* bpf_ktime_get_ns() */
	__u64 netns;   /* calls: cookie of the caller's namespace */
	__u32 vni;     /* packets: of the network; 0: unknown */
	__u32 bytes;   /* packets: with headers */
	__be32 from;   /* packets: inner source */
	__be32 to;     /* inner destination; calls: what was asked for */
	__be32 actual; /* calls: what it was brought to */
	__be32 node;   /* packets: data address of the node that it came from or goes to; 0: here */
	__be16 from_port;
	__be16 to_port;
	__be16 actual_port;
	__be16 ethertype; /* packets */
	__u8 verdict;     /* enum heddle_flow_verdict */
	__u8 reason;      /* enum heddle_drop_reason, of what was dropped or refused */
	__u8 protocol;    /* IPPROTO_* */
	__u8 pad[5];
};

HEDDLE_ABI_ASSERT(sizeof(struct heddle_watch) == 16);
HEDDLE_ABI_ASSERT(sizeof(struct heddle_flow_event) == 56);
