/*
 * Links of labs that lose, corrupt, duplicate and delay packets: docs/labs.md, "Impairments". wire
 * runs where a direction's packets arrive, mid-link, and sends them on to the other side or, to be
 * delayed, to user space. sever runs where packets leave the underlay's switch by a port.
 */
#include "ebpf/abi/wire.h"
#include "ebpf/lib/kernel.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HEDDLE_WIRE_MAX);
	__type(key, __u32);
	__type(value, struct heddle_wire_settings);
} heddle_wires SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HEDDLE_WIRE_MAX);
	__type(key, __u32);
	__type(value, struct heddle_wire_state);
} heddle_wire_past SEC(".maps");

/* Full: the packet is lost, and counted, because a link that stalls would be worse. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20); /* bytes: 2,500 frames of 1,500 */
} heddle_relay SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HEDDLE_WIRE_SEVERED_MAX);
	__type(key, struct heddle_wire_severed);
	__type(value, __u64); /* frames dropped */
} heddle_severed SEC(".maps");

/* When user space looks at the ring by itself (CLOCK_MONOTONIC); 0: it sleeps until it is told. */
__u64 relay_wakes_at;

static __always_inline bool corrupt(struct __sk_buff *skb, __u32 bit)
{
	__u8 byte;

	if (bpf_skb_load_bytes(skb, bit / 8, &byte, 1))
		return false;
	byte ^= 1 << bit % 8;
	return !bpf_skb_store_bytes(skb, bit / 8, &byte, 1, 0);
}

struct packet {
	__u64 number;
	__u64 least_delay_ns;
	__u32 copies;
};

/* A record of the ring has a size that the verifier knows. */
static __always_inline bool relay(struct __sk_buff *skb, const struct packet *packet,
				  const __u32 room)
{
	struct heddle_wire_record *record;
	__u64 now = bpf_ktime_get_ns();
	__u32 last = skb->len - 1; /* a packet has a byte at least */
	__u64 wakes_at;

	record = bpf_ringbuf_reserve(&heddle_relay, sizeof(*record) + room, 0);
	if (!record)
		return false;
	record->arrived_ns = now;
	record->number = packet->number;
	record->from = skb->ifindex;
	record->bytes = skb->len;
	record->vlan_tag = skb->vlan_present ? skb->vlan_tci : 0;
	record->vlan_protocol = skb->vlan_present ? skb->vlan_proto : 0;
	record->copies = packet->copies;
	/*
	 * The verifier (6.1) learns a least length from no comparison with 0, but from one that has
	 * been made before 1 was added; the compiler must leave it so.
	 */
	asm volatile("" : "+r"(last));
	if (last >= room) {
		bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
		return false;
	}
	asm volatile("" : "+r"(last));
	if (bpf_skb_load_bytes(skb, 0, record + 1, last + 1)) {
		bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
		return false;
	}
	/* Atomic, hence a full barrier: user space sees the record, or we what it has written. */
	wakes_at = __sync_fetch_and_add(&relay_wakes_at, 0);
	bpf_ringbuf_submit(record, wakes_at && wakes_at <= now + packet->least_delay_ns ?
					   BPF_RB_NO_WAKEUP :
					   BPF_RB_FORCE_WAKEUP);
	return true;
}

static __always_inline bool relay_any(struct __sk_buff *skb, const struct packet *packet)
{
	if (skb->len <= 256)
		return relay(skb, packet, 256);
	if (skb->len <= 1536)
		return relay(skb, packet, 1536);
	if (skb->len <= 9216)
		return relay(skb, packet, 9216);
	return relay(skb, packet, 65568);
}

SEC("tc")
int wire(struct __sk_buff *skb)
{
	__u32 device = skb->ifindex;
	struct heddle_wire_settings *settings = bpf_map_lookup_elem(&heddle_wires, &device);
	struct heddle_wire_state *state = bpf_map_lookup_elem(&heddle_wire_past, &device);
	struct heddle_wire_verdict verdict;
	__u64 number;
	int lost;

	if (!settings || !state)
		return TC_ACT_SHOT; /* not set up: a wire leads nowhere */
	bpf_spin_lock(&state->lock);
	number = state->next++;
	lost = heddle_wire_lost(settings, number, state->lost_last);
	state->lost_last = lost;
	bpf_spin_unlock(&state->lock);
	if (lost) {
		__sync_fetch_and_add(&state->lost, 1);
		return TC_ACT_SHOT;
	}
	verdict = heddle_wire_decide(settings, number, skb->len);
	if (verdict.corrupt_bit != HEDDLE_WIRE_NOT_CORRUPT && corrupt(skb, verdict.corrupt_bit))
		__sync_fetch_and_add(&state->corrupted, 1);
	if (verdict.duplicated)
		__sync_fetch_and_add(&state->duplicated, 1);
	if (verdict.reordered)
		__sync_fetch_and_add(&state->reordered, 1);
	if (settings->flags & HEDDLE_WIRE_RELAYED && !verdict.reordered) {
		struct packet packet = {
			.number = number,
			.least_delay_ns = heddle_wire_least_delay(settings),
			.copies = verdict.duplicated ? 2 : 1,
		};

		if (relay_any(skb, &packet))
			__sync_fetch_and_add(&state->relayed, 1);
		else
			__sync_fetch_and_add(&state->overrun, 1);
		return TC_ACT_SHOT; /* this one; its copy goes on */
	}
	if (verdict.duplicated)
		bpf_clone_redirect(skb, settings->to, 0);
	return bpf_redirect(settings->to, 0);
}

SEC("tc")
int sever(struct __sk_buff *skb)
{
	struct heddle_wire_severed pair = { .from = skb->ingress_ifindex, .to = skb->ifindex };
	__u64 *dropped = bpf_map_lookup_elem(&heddle_severed, &pair);

	if (!dropped)
		return TC_ACT_UNSPEC;
	__sync_fetch_and_add(dropped, 1);
	return TC_ACT_SHOT;
}

char _license[] SEC("license") = "GPL";
