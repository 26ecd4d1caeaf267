#pragma once
/*
 * Impaired links of labs. What happens to the packet that is the n-th to arrive in one direction is
 * a pure function of (key, n), computed here for the program in the kernel and for user space
 * alike: equal seeds give equal runs, whatever carries the packets.
 */
#include "ebpf/abi/types.h"
#ifndef __bpf__
#include <linux/bpf.h>
#endif

/* Chances are thresholds: a draw of 32 bits below it is a yes, so this is always. */
#define HEDDLE_WIRE_ALWAYS (1ULL << 32)
/* Lengths of jitter are multiples of 2^-20 of the jitter. */
#define HEDDLE_WIRE_UNIT (1LL << 20)
#define HEDDLE_WIRE_MAX 65536 /* directions of a lab's links */
#define HEDDLE_WIRE_SEVERED_MAX 65536
#define HEDDLE_WIRE_NOT_CORRUPT 0xffffffff
#define HEDDLE_WIRE_ETH_BYTES 14

enum heddle_wire_spread {
	HEDDLE_WIRE_UNIFORM,
	HEDDLE_WIRE_NORMAL,
	HEDDLE_WIRE_PARETO,
};

enum heddle_wire_flag {
	HEDDLE_WIRE_RELAYED = 1, /* what is delayed goes through user space */
};

/* One direction of a link, by the device that its packets arrive at. Written by user space. */
struct heddle_wire_settings {
	__u64 key; /* of seed, link and direction */
	__u32 to;  /* index of the device that they leave by */
	__u32 flags;
	__u64 loss_after_arrival; /* chance that a packet is lost when the one before was not ... */
	__u64 loss_after_loss;    /* ... and when it was: a chain of two states (Gilbert, 1960) */
	__u64 corrupt;
	__u64 duplicate;
	__u64 reorder;
	__u64 delay_ns;
	__u64 jitter_ns;
	__u32 spread; /* enum heddle_wire_spread */
	__u32 reserved;
};
HEDDLE_ABI_ASSERT(sizeof(struct heddle_wire_settings) == 80);

/* Its past. Written by the program alone, but for its beginning. */
struct heddle_wire_state {
	struct bpf_spin_lock lock; /* of the two that follow */
	__u32 lost_last;
	__u64 next; /* number of the next packet, from 0: so many have arrived */
	__u64 lost;
	__u64 corrupted;
	__u64 duplicated;
	__u64 reordered;
	__u64 relayed;
	__u64 overrun; /* dropped: user space did not fetch them in time */
};
HEDDLE_ABI_ASSERT(sizeof(struct heddle_wire_state) == 64);

/* A packet on its way through user space; its bytes follow. */
struct heddle_wire_record {
	__u64 arrived_ns; /* CLOCK_MONOTONIC */
	__u64 number;
	__u32 from; /* index of the device it arrived at */
	__u32 bytes;
	__u16 vlan_tag;       /* of an 802.1Q or 802.1ad tag that the kernel took off ... */
	__be16 vlan_protocol; /* ... 0: none */
	__u32 copies;
};
HEDDLE_ABI_ASSERT(sizeof(struct heddle_wire_record) == 32);

/* Frames from one port of the underlay to another are dropped. */
struct heddle_wire_severed {
	__u32 from; /* indices of devices */
	__u32 to;
};
HEDDLE_ABI_ASSERT(sizeof(struct heddle_wire_severed) == 8);

enum heddle_wire_purpose {
	HEDDLE_WIRE_FOR_LOSS = 1,
	HEDDLE_WIRE_FOR_CORRUPTION,
	HEDDLE_WIRE_FOR_DUPLICATION,
	HEDDLE_WIRE_FOR_REORDER,
	HEDDLE_WIRE_FOR_DELAY, /* and the two numbers behind it */
};

/* SplitMix64's output function (Steele, Lea, Flood 2014). */
static inline __u64 heddle_wire_mix(__u64 x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ULL;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static inline __u64 heddle_wire_draw(__u64 key, __u64 n, __u64 purpose)
{
	return heddle_wire_mix(heddle_wire_mix(key + n * 0x9e3779b97f4a7c15ULL) +
			       purpose * 0xd1342543de82ef95ULL);
}

static inline int heddle_wire_yes(__u64 draw, __u64 chance)
{
	return (draw >> 32) < chance;
}

/* What happens to packet n, but for its delay. Packets must be asked about in order. */
struct heddle_wire_verdict {
	__u32 lost;
	__u32 corrupt_bit; /* counted from the frame's beginning */
	__u32 duplicated;
	__u32 reordered;
};

static inline int heddle_wire_lost(const struct heddle_wire_settings *settings, __u64 n,
				   int lost_last)
{
	return heddle_wire_yes(heddle_wire_draw(settings->key, n, HEDDLE_WIRE_FOR_LOSS),
			       lost_last ? settings->loss_after_loss
					 : settings->loss_after_arrival);
}

/* Of a packet that is not lost. */
static inline struct heddle_wire_verdict
heddle_wire_decide(const struct heddle_wire_settings *settings, __u64 n, __u32 frame_bytes)
{
	struct heddle_wire_verdict verdict = {0, HEDDLE_WIRE_NOT_CORRUPT, 0, 0};
	__u64 draw = heddle_wire_draw(settings->key, n, HEDDLE_WIRE_FOR_CORRUPTION);

	if (frame_bytes > HEDDLE_WIRE_ETH_BYTES && heddle_wire_yes(draw, settings->corrupt)) {
		__u64 bits = (__u64)(frame_bytes - HEDDLE_WIRE_ETH_BYTES) * 8;

		verdict.corrupt_bit =
			HEDDLE_WIRE_ETH_BYTES * 8 + (__u32)(((draw & 0xffffffff) * bits) >> 32);
	}
	draw = heddle_wire_draw(settings->key, n, HEDDLE_WIRE_FOR_DUPLICATION);
	verdict.duplicated = heddle_wire_yes(draw, settings->duplicate);
	draw = heddle_wire_draw(settings->key, n, HEDDLE_WIRE_FOR_REORDER);
	verdict.reordered = heddle_wire_yes(draw, settings->reorder);
	return verdict;
}

/* Smallest delay that a packet can have. */
static inline __u64 heddle_wire_least_delay(const struct heddle_wire_settings *settings)
{
	/* A sum of twelve reaches six sigmas; Pareto's smallest lies 0.578 below the mean. */
	__u64 below = settings->spread == HEDDLE_WIRE_NORMAL ? settings->jitter_ns * 6
							     : settings->jitter_ns;

	return below < settings->delay_ns ? settings->delay_ns - below : 0;
}

#ifndef __bpf__
/* Largest integer whose third power is at most x. */
static inline __u64 heddle_wire_cube_root(__u64 x)
{
	__u64 root = 0;
	int shift;

	for (shift = 63; shift >= 0; shift -= 3) {
		__u64 next;

		root *= 2;
		next = 3 * root * (root + 1) + 1;
		if (x >> shift >= next) {
			x -= next << shift;
			root += 1;
		}
	}
	return root;
}

/* How far packet n is from the mean delay, in units of the jitter. Integers: equal everywhere. */
static inline __s64 heddle_wire_offset(const struct heddle_wire_settings *settings, __u64 n)
{
	__u64 draw = heddle_wire_draw(settings->key, n, HEDDLE_WIRE_FOR_DELAY);
	__s64 sum = 0;
	int i;

	switch (settings->spread) {
	case HEDDLE_WIRE_NORMAL: /* twelve of 16 bits: their sum's sigma is 2^16 */
		for (i = 0; i < 12; ++i) {
			sum += (__s64)(draw >> 16 * (i % 4) & 0xffff);
			if (i % 4 == 3)
				draw = heddle_wire_draw(settings->key, n,
							HEDDLE_WIRE_FOR_DELAY + i / 4 + 1);
		}
		return (sum - 6 * 65535) * 16;
	case HEDDLE_WIRE_PARETO: { /* shape 3, as tc-netem's: mean 3/2, sigma sqrt(3)/2 */
		const __s64 mean = HEDDLE_WIRE_UNIT * 3 / 2;
		const __s64 per_sigma = 1210791; /* 2 / sqrt(3) */
		const __s64 most = 4 * HEDDLE_WIRE_UNIT;
		__u64 share = (draw >> 34) + 1; /* of 2^30 */
		__s64 x = (__s64)((HEDDLE_WIRE_UNIT << 21) /
				  (__s64)heddle_wire_cube_root(share << 33));
		__s64 offset = (x - mean) * per_sigma / HEDDLE_WIRE_UNIT;

		return offset < most ? offset : most;
	}
	default:
		return (__s64)(draw >> 43) - HEDDLE_WIRE_UNIT;
	}
}

static inline __u64 heddle_wire_delay_ns(const struct heddle_wire_settings *settings, __u64 n)
{
	__s64 delay = (__s64)settings->delay_ns;

	if (settings->jitter_ns)
		delay += (__s64)settings->jitter_ns * heddle_wire_offset(settings, n) /
			 HEDDLE_WIRE_UNIT;
	return delay > 0 ? (__u64)delay : 0;
}
#endif
