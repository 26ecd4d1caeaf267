/*
 * Inbound interception: in a namespace with a sidecar, connections to the listed ports are given to
 * the sidecar's listener whatever the application listens on. One instance per namespace, because
 * this hook cannot tell the namespace it runs in.
 */
#include "ebpf/abi/socket.h"
#include "ebpf/lib/drop.h"

/* Set before load. */
const volatile __u64 netns_cookie = 0;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HEDDLE_INBOUND_MAX);
	__type(key, struct heddle_inbound_key);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} heddle_inbound_v1 SEC(".maps");

/* The sidecars' listening sockets, by namespace. The kernel takes a closed one out by itself. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, HEDDLE_SIDECARS_MAX);
	__type(key, __u64);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} heddle_sidecars_v1 SEC(".maps");

/*
 * Loopback is exempt: the sidecar reaches the application through it, and so may the application's
 * own health checks. Without a sidecar the connection is refused, never let past it.
 */
SEC("sk_lookup")
int heddle_inbound(struct bpf_sk_lookup *ctx)
{
	struct heddle_inbound_key key = {.cookie = netns_cookie, .port = ctx->local_port};
	__u64 cookie = netns_cookie;
	struct bpf_sock *sidecar;
	long failed;

	if (ctx->protocol != IPPROTO_TCP || ctx->family != AF_INET)
		return SK_PASS;
	if (is_loopback(ctx->local_ip4) || is_loopback(ctx->remote_ip4))
		return SK_PASS;
	if (!bpf_map_lookup_elem(&heddle_inbound_v1, &key))
		return SK_PASS;
	sidecar = bpf_map_lookup_elem(&heddle_sidecars_v1, &cookie);
	if (!sidecar) {
		count_drop(HEDDLE_DROP_NO_SIDECAR, 0);
		return SK_DROP;
	}
	failed = bpf_sk_assign(ctx, sidecar, 0);
	bpf_sk_release(sidecar);
	if (failed) {
		count_drop(HEDDLE_DROP_NO_SIDECAR, 0);
		return SK_DROP;
	}
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
