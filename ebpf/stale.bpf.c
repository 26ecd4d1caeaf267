/*
 * Which sockets lead to a backend that their service does not have any more: an iterator over the
 * files of all processes, whatever namespace their sockets are in; a socket that no process has
 * keeps none waiting. Its only caller is the only writer of services: lists do not change while it
 * reads. (An iterator over the memory itself would see fewer, but some hosts refuse those; the
 * kernel's over TCP and UDP sockets see one namespace only and walk the tables of all.)
 */
#include "ebpf/lib/backend.h"

#define ESTABLISHED 1 /* net/tcp_states.h; a connected UDP socket's state too */
/* SYN_SENT, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK, CLOSING: who waits for the peer. */
#define WAITING (1 << ESTABLISHED | 1 << 2 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11)

static __always_inline bool is_stale(const struct heddle_flow *now, __u8 protocol)
{
	struct heddle_flow flow = *now;
	struct heddle_service_key key = {
		.vip = flow.wanted,
		.port = flow.wanted_port,
		.protocol = protocol,
	};
	struct heddle_service *service;

	service = bpf_map_lookup_elem(&heddle_services_v1, &key);
	return !service || !still_backend(service, &flow, HEDDLE_BACKEND_FAILING);
}

SEC("iter/task_file")
int heddle_stale(struct bpf_iter__task_file *ctx)
{
	struct heddle_stale_socket found = {};
	struct heddle_socket *memory;
	struct heddle_flow flow;
	struct file *file = ctx->file;
	struct socket *socket;
	struct sock *sk;

	if (!file)
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!sk)
		return 0;
	memory = bpf_sk_storage_get(&heddle_sockets_v1, sk, 0, 0);
	if (!memory)
		return 0;
	flow = memory->flows[0];
	if (!flow.wanted || !flow.list)
		return 0;
	found.peer = sk->__sk_common.skc_daddr;
	found.peer_port = sk->__sk_common.skc_dport;
	if (!(WAITING & 1 << sk->__sk_common.skc_state) || found.peer != flow.actual ||
	    found.peer_port != flow.actual_port)
		return 0;
	found.protocol = sk->sk_protocol;
	if (!is_stale(&flow, found.protocol))
		return 0;
	found.netns = sk->__sk_common.skc_net.net->net_cookie;
	found.cookie = bpf_get_socket_cookie(sk);
	found.own = sk->__sk_common.skc_rcv_saddr;
	found.own_port = bpf_htons(sk->__sk_common.skc_num);
	found.vip = flow.wanted;
	found.vip_port = flow.wanted_port;
	found.family = sk->__sk_common.skc_family;
	found.device = sk->__sk_common.skc_bound_dev_if;
	bpf_seq_write(ctx->meta->seq, &found, sizeof(found));
	return 0;
}

char _license[] SEC("license") = "GPL";
