/*
 * Socket hooks: a workload's calls are brought to its resolver, its sidecar or a service's backend
 * before a packet exists, and the workload keeps seeing the address it asked for. They run for
 * every socket of the cgroup and act on those of member namespaces only.
 *
 * A v4-mapped IPv6 destination (::ffff:a.b.c.d) is the IPv4 one and must not bypass them. An
 * unconnected sendto() to one reaches the IPv4 hook by itself (udpv6_sendmsg); the IPv6 sendmsg
 * hook sees it only in kernels that call it first, and then does the same.
 */
#include "ebpf/lib/backend.h"
#include "ebpf/lib/watch.h"

struct destination {
	__be32 address;
	__be16 port;
};

/* Where a call goes instead. `list` as in heddle_flow. */
struct detour {
	__be32 address;
	__be16 port;
	__u32 list;
	bool intercepted;
};

enum ruling {
	KEEP,
	DETOUR,
	REFUSE, /* and the reason on top: enum heddle_drop_reason */
};

static __always_inline struct heddle_member *find_member(__u64 cookie, __u32 network)
{
	struct heddle_member_key key = {.cookie = cookie, .network = network};

	return bpf_map_lookup_elem(&heddle_members_v1, &key);
}

/* The proxy itself, by its own cgroup or one below: a mark needs privileges, a pid does not last.
 */
#define CGROUP_DEPTH_MAX 16
static __always_inline bool caller_is_proxy(__u64 cgroup)
{
	if (bpf_get_current_cgroup_id() == cgroup)
		return true;
	for (int level = 1; level < CGROUP_DEPTH_MAX; level++) {
		__u64 ancestor = bpf_get_current_ancestor_cgroup_id(level);

		if (!ancestor)
			return false;
		if (ancestor == cgroup)
			return true;
	}
	return false;
}

static __always_inline enum ruling refuse(enum heddle_drop_reason reason)
{
	count_drop(reason, 0);
	bpf_set_retval(-ECONNREFUSED);
	return (enum ruling)(REFUSE + reason);
}

static __always_inline bool is_listened_on(struct bpf_sock_addr *ctx, const struct destination *to)
{
	struct bpf_sock_tuple packet = {
		.ipv4 = {.saddr = to->address, .daddr = to->address, .dport = to->port},
	};
	struct bpf_sock *listening;

	if (ctx->protocol == IPPROTO_TCP)
		listening = bpf_sk_lookup_tcp(ctx, &packet, sizeof(packet.ipv4),
					      BPF_F_CURRENT_NETNS, 0);
	else
		listening = bpf_sk_lookup_udp(ctx, &packet, sizeof(packet.ipv4),
					      BPF_F_CURRENT_NETNS, 0);
	if (!listening)
		return false;
	bpf_sk_release(listening);
	return true;
}

/*
 * A namespace may have a name server of its own on loopback. Where none listens, the address was
 * meant for another place: the host's 127.0.0.53, or the C library's 127.0.0.1 for want of a
 * resolv.conf.
 */
static __always_inline bool wants_resolver(struct bpf_sock_addr *ctx,
					   const struct heddle_member *self,
					   const struct destination *to)
{
	if (!self || !(self->flags & HEDDLE_MEMBER_RESOLVER) ||
	    to->port != bpf_htons(HEDDLE_RESOLVER_PORT))
		return false;
	return !is_loopback(to->address) || !is_listened_on(ctx, to);
}

/* A VIP that this namespace may use. */
static __always_inline struct heddle_service *find_service(__u64 cookie,
							   const struct heddle_service_key *key)
{
	struct heddle_service *service = bpf_map_lookup_elem(&heddle_services_v1, key);

	return service && find_member(cookie, service->network) ? service : NULL;
}

static __always_inline enum ruling balance(__u64 cookie, const struct heddle_service_key *key,
					   const struct heddle_service *service,
					   struct detour *detour)
{
	enum heddle_drop_reason why;
	struct choice choice = {};

	if (!choose_backend(cookie, key, service, &choice, &why))
		return refuse(why);
	detour->address = choice.address;
	detour->port = choice.port;
	detour->list = choice.list;
	return DETOUR;
}

static __always_inline void to_resolver(struct detour *detour)
{
	detour->address = bpf_htonl(HEDDLE_RESOLVER_ADDRESS);
	detour->port = bpf_htons(HEDDLE_RESOLVER_PORT);
}

/* Order: resolver, sidecar, service; loopback is the first's alone. */
static __always_inline enum ruling rule_connect(struct bpf_sock_addr *ctx, __u64 cookie,
						const struct heddle_member *self,
						const struct destination *to, struct detour *detour)
{
	struct heddle_service_key key = {
		.vip = to->address,
		.port = to->port,
		.protocol = ctx->protocol,
	};
	struct heddle_intercept *intercept;
	struct heddle_service *service;

	if (wants_resolver(ctx, self, to)) {
		to_resolver(detour);
		return DETOUR;
	}
	if (is_loopback(to->address))
		return KEEP;
	if (ctx->protocol == IPPROTO_TCP) {
		intercept = bpf_map_lookup_elem(&heddle_intercepts_v1, &cookie);
		if (intercept && intercept->outbound_port &&
		    !caller_is_proxy(intercept->proxy_cgroup)) {
			detour->address = bpf_htonl(0x7f000001);
			detour->port = intercept->outbound_port;
			detour->intercepted = true;
			return DETOUR;
		}
	}
	if (!self)
		return KEEP;
	service = find_service(cookie, &key);
	if (!service)
		return KEEP;
	return balance(cookie, &key, service, detour);
}

/* Slot 0 belongs to connect(): without a detour, what an earlier connect() left is forgotten. */
static __always_inline bool remember_connect(struct bpf_sock_addr *ctx,
					     const struct destination *to,
					     const struct detour *detour)
{
	struct heddle_socket *memory;

	memory = bpf_sk_storage_get(&heddle_sockets_v1, ctx->sk, 0,
				    detour ? BPF_SK_STORAGE_GET_F_CREATE : 0);
	if (!memory)
		return !detour;
	if (!detour) {
		memory->flows[0].wanted = 0;
		memory->flags = 0;
		return true;
	}
	memory->flows[0].wanted = to->address;
	memory->flows[0].wanted_port = to->port;
	memory->flows[0].actual = detour->address;
	memory->flows[0].actual_port = detour->port;
	memory->flows[0].list = detour->list;
	memory->flags = detour->intercepted ? HEDDLE_SOCKET_INTERCEPTED : 0;
	return true;
}

static __always_inline enum ruling connect_to(struct bpf_sock_addr *ctx, struct destination *to)
{
	__u64 cookie = bpf_get_netns_cookie(ctx);
	struct heddle_member *self = find_member(cookie, HEDDLE_MEMBER_SELF);
	struct detour detour = {};
	enum ruling ruling = KEEP;

	if (!self && !bpf_map_lookup_elem(&heddle_intercepts_v1, &cookie))
		return KEEP;
	if (to->address)
		ruling = rule_connect(ctx, cookie, self, to, &detour);
	if (ruling == KEEP)
		remember_connect(ctx, to, NULL);
	if (ruling != DETOUR)
		return ruling;
	if (!remember_connect(ctx, to, &detour))
		return refuse(HEDDLE_DROP_NO_STORAGE);
	to->address = detour.address;
	to->port = detour.port;
	return DETOUR;
}

/*
 * An unconnected UDP socket that speaks to a VIP stays with one backend while that is the
 * service's: protocols of more than one packet expect it. The memory holds the latest destinations;
 * an older one is chosen for anew.
 */
static __always_inline struct heddle_flow *find_flow(struct heddle_socket *memory,
						     const struct destination *to)
{
	for (int i = 1; i < HEDDLE_SOCKET_FLOWS; i++) {
		struct heddle_flow *flow = &memory->flows[i];

		if (flow->wanted == to->address && flow->wanted_port == to->port)
			return flow;
	}
	return NULL;
}

static __always_inline struct heddle_flow *take_flow(struct heddle_socket *memory)
{
	__u32 slot = (memory->newest + 1) & (HEDDLE_SOCKET_FLOWS - 1);

	if (slot == 0)
		slot = 1;
	memory->newest = slot;
	return &memory->flows[slot];
}

static __always_inline enum ruling send_to(struct bpf_sock_addr *ctx, struct destination *to)
{
	__u64 cookie = bpf_get_netns_cookie(ctx);
	struct heddle_member *self = find_member(cookie, HEDDLE_MEMBER_SELF);
	struct heddle_service_key key = {
		.vip = to->address,
		.port = to->port,
		.protocol = IPPROTO_UDP,
	};
	struct heddle_service *service = NULL;
	struct heddle_socket *memory;
	struct heddle_flow *flow;
	struct detour detour = {};
	enum ruling ruling;

	if (!self)
		return KEEP;
	if (wants_resolver(ctx, self, to)) {
		to_resolver(&detour);
	} else if (is_loopback(to->address)) {
		return KEEP;
	} else {
		service = find_service(cookie, &key);
		if (!service)
			return KEEP;
	}
	memory = bpf_sk_storage_get(&heddle_sockets_v1, ctx->sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!memory)
		return refuse(HEDDLE_DROP_NO_STORAGE);
	flow = find_flow(memory, to);
	if (!flow || (service && !still_backend(service, flow, HEDDLE_BACKEND_DRAINING))) {
		ruling = service ? balance(cookie, &key, service, &detour) : DETOUR;
		if (ruling != DETOUR)
			return ruling;
		if (!flow)
			flow = take_flow(memory);
		flow->wanted = to->address;
		flow->wanted_port = to->port;
		flow->actual = detour.address;
		flow->actual_port = detour.port;
		flow->list = detour.list;
	}
	to->address = flow->actual;
	to->port = flow->actual_port;
	return DETOUR;
}

/* The address that the program asked for, in place of where its packets really come from. */
static __always_inline bool original_of(struct bpf_sock_addr *ctx, struct destination *from,
					int first, int end)
{
	struct heddle_socket *memory = bpf_sk_storage_get(&heddle_sockets_v1, ctx->sk, 0, 0);

	if (!memory)
		return false;
	for (int i = first; i < end; i++) {
		struct heddle_flow *flow = &memory->flows[i];

		if (flow->wanted && flow->actual == from->address &&
		    flow->actual_port == from->port) {
			from->address = flow->wanted;
			from->port = flow->wanted_port;
			return true;
		}
	}
	return false;
}

static __always_inline struct destination read4(struct bpf_sock_addr *ctx)
{
	struct destination at = {.address = ctx->user_ip4, .port = ctx->user_port};

	return at;
}

static __always_inline void write4(struct bpf_sock_addr *ctx, const struct destination *at)
{
	ctx->user_ip4 = at->address;
	ctx->user_port = at->port;
}

static __always_inline bool is_mapped(struct bpf_sock_addr *ctx)
{
	return ctx->user_ip6[0] == 0 && ctx->user_ip6[1] == 0 &&
	       ctx->user_ip6[2] == bpf_htonl(0x0000ffff);
}

static __always_inline struct destination read6(struct bpf_sock_addr *ctx)
{
	struct destination at = {.address = ctx->user_ip6[3], .port = ctx->user_port};

	return at;
}

static __always_inline void write6(struct bpf_sock_addr *ctx, const struct destination *at)
{
	ctx->user_ip6[3] = at->address;
	ctx->user_port = at->port;
}

static __noinline int tell_call(struct bpf_sock_addr *ctx, struct heddle_watch *watch,
				const struct destination *asked, const struct destination *got,
				__u32 ruling)
{
	struct heddle_flow_event *event;

	if (!watch || !asked || !got || (ruling == DETOUR && !is_sampled(watch)))
		return 0;
	event = begin_event(watch);
	if (!event)
		return 0;
	event->netns = bpf_get_netns_cookie(ctx);
	event->protocol = ctx->protocol;
	event->to = asked->address;
	event->to_port = asked->port;
	if (ruling != DETOUR) {
		event->verdict = HEDDLE_FLOW_REFUSED;
		event->reason = ruling - REFUSE;
	} else {
		event->verdict =
			is_loopback(got->address) ? HEDDLE_FLOW_STEERED : HEDDLE_FLOW_BALANCED;
		event->actual = got->address;
		event->actual_port = got->port;
	}
	bpf_ringbuf_submit(event, 0);
	return 0;
}

#define CALL_HOOK(section, name, read, write, applies, act)                                        \
	SEC(section) int name(struct bpf_sock_addr *ctx)                                           \
	{                                                                                          \
		struct destination asked, to;                                                      \
		struct heddle_watch *watch;                                                        \
		enum ruling ruling;                                                                \
                                                                                                   \
		if (!(applies))                                                                    \
			return 1;                                                                  \
		asked = read(ctx);                                                                 \
		to = asked;                                                                        \
		ruling = act(ctx, &to);                                                            \
		if (ruling == KEEP)                                                                \
			return 1;                                                                  \
		watch = find_watch();                                                              \
		if (watch)                                                                         \
			tell_call(ctx, watch, &asked, &to, ruling);                                \
		if (ruling != DETOUR)                                                              \
			return 0;                                                                  \
		write(ctx, &to);                                                                   \
		return 1;                                                                          \
	}

#define NAME_HOOK(section, name, read, write, applies, first, end)                                 \
	SEC(section) int name(struct bpf_sock_addr *ctx)                                           \
	{                                                                                          \
		struct destination from;                                                           \
                                                                                                   \
		if (!(applies))                                                                    \
			return 1;                                                                  \
		from = read(ctx);                                                                  \
		if (original_of(ctx, &from, first, end))                                           \
			write(ctx, &from);                                                         \
		return 1;                                                                          \
	}

CALL_HOOK("cgroup/connect4", heddle_connect4, read4, write4, true, connect_to)
CALL_HOOK("cgroup/connect6", heddle_connect6, read6, write6, is_mapped(ctx), connect_to)
CALL_HOOK("cgroup/sendmsg4", heddle_sendmsg4, read4, write4, true, send_to)
CALL_HOOK("cgroup/sendmsg6", heddle_sendmsg6, read6, write6, is_mapped(ctx), send_to)
NAME_HOOK("cgroup/recvmsg4", heddle_recvmsg4, read4, write4, true, 0, HEDDLE_SOCKET_FLOWS)
NAME_HOOK("cgroup/recvmsg6", heddle_recvmsg6, read6, write6, is_mapped(ctx), 0, HEDDLE_SOCKET_FLOWS)
NAME_HOOK("cgroup/getpeername4", heddle_getpeername4, read4, write4, true, 0, 1)
NAME_HOOK("cgroup/getpeername6", heddle_getpeername6, read6, write6, is_mapped(ctx), 0, 1)

static __always_inline void own_end(struct bpf_sock_ops *ops, struct heddle_original_key *key)
{
	key->cookie = bpf_get_netns_cookie(ops);
	key->address = ops->local_ip4;
	key->port = bpf_htons(ops->local_port);
}

/*
 * Before the SYN leaves, the client's port is known: the key by which the sidecar, which accepts
 * the connection in the same namespace, can ask for the original destination. Kept until the
 * client's socket closes.
 */
SEC("sockops")
int heddle_sockops(struct bpf_sock_ops *ops)
{
	struct heddle_original_key key = {};
	struct heddle_original original = {};
	struct heddle_socket *memory;
	struct bpf_sock *sk;

	if (ops->op == BPF_SOCK_OPS_STATE_CB) {
		if (ops->args[1] == BPF_TCP_CLOSE) {
			own_end(ops, &key);
			bpf_map_delete_elem(&heddle_originals_v1, &key);
		}
		return 1;
	}
	if (ops->op != BPF_SOCK_OPS_TCP_CONNECT_CB)
		return 1;
	sk = ops->sk;
	if (!sk)
		return 1;
	memory = bpf_sk_storage_get(&heddle_sockets_v1, sk, 0, 0);
	if (!memory || !(memory->flags & HEDDLE_SOCKET_INTERCEPTED))
		return 1;
	own_end(ops, &key);
	original.address = memory->flows[0].wanted;
	original.port = memory->flows[0].wanted_port;
	/* Should this fail, the sidecar finds no original destination and closes the connection. */
	bpf_map_update_elem(&heddle_originals_v1, &key, &original, BPF_ANY);
	bpf_sock_ops_cb_flags_set(ops, ops->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
	return 1;
}

static __always_inline bool asks_original(struct bpf_sockopt *ctx)
{
	return (ctx->level == SOL_IP || ctx->level == SOL_IPV6) && ctx->optname == SO_ORIGINAL_DST;
}

/* The far end of an accepted connection, as the key that heddle_sockops wrote. */
static __always_inline bool far_end(struct bpf_sockopt *ctx, struct heddle_original_key *key)
{
	struct bpf_sock *sk = ctx->sk;

	if (!sk || sk->protocol != IPPROTO_TCP)
		return false;
	if (sk->family == AF_INET)
		key->address = load_field("u32", sk, struct bpf_sock, dst_ip4);
	else if (sk->family == AF_INET6 && sk->dst_ip6[2] == bpf_htonl(0x0000ffff))
		key->address = load_field("u32", sk, struct bpf_sock, dst_ip6[3]);
	else
		return false;
	key->port = load_field("u16", sk, struct bpf_sock, dst_port);
	key->cookie = bpf_get_netns_cookie(ctx);
	return true;
}

/*
 * SO_ORIGINAL_DST for the sidecar, without netfilter and without a privilege. At SOL_IPV6 a
 * sockaddr_in6 with the v4-mapped address is answered.
 */
SEC("cgroup/getsockopt")
int heddle_getsockopt(struct bpf_sockopt *ctx)
{
	struct heddle_original_key key = {};
	struct heddle_original *original;
	struct sockaddr_in6 *in6 = ctx->optval;
	struct sockaddr_in *in = ctx->optval;
	void *end = ctx->optval_end;
	int bytes;

	/* Larger than a page: the kernel's answer stands only if the program says that it saw none.
	 */
	if (ctx->optlen > 4096)
		ctx->optlen = 0;
	if (!asks_original(ctx) || !far_end(ctx, &key))
		return 1;
	original = bpf_map_lookup_elem(&heddle_originals_v1, &key);
	if (!original)
		return 1;
	if (ctx->level == SOL_IP) {
		if ((void *)(in + 1) > end)
			return 1;
		__builtin_memset(in, 0, sizeof(*in));
		in->sin_family = AF_INET;
		in->sin_port = original->port;
		in->sin_addr.s_addr = original->address;
		bytes = sizeof(*in);
	} else {
		if ((void *)(in6 + 1) > end)
			return 1;
		__builtin_memset(in6, 0, sizeof(*in6));
		in6->sin6_family = AF_INET6;
		in6->sin6_port = original->port;
		in6->sin6_addr.in6_u.u6_addr32[2] = bpf_htonl(0x0000ffff);
		in6->sin6_addr.in6_u.u6_addr32[3] = original->address;
		bytes = sizeof(*in6);
	}
	/* clang would merge these two neighbours into one store, which the verifier refuses (6.18).
	 */
	*(volatile __s32 *)&ctx->optlen = bytes;
	barrier();
	*(volatile __s32 *)&ctx->retval = 0;
	return 1;
}

char _license[] SEC("license") = "GPL";
