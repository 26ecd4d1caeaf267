#pragma once
/*
 * What the socket hooks read and remember. Services, backends, members, interceptions and inbound
 * ports are written by heddled only; socket memory and original destinations by the programs only.
 */
#include "ebpf/abi/types.h"

/* heddle_services: a VIP and port. */
struct heddle_service_key {
	__be32 vip;
	__be16 port;
	__u8 protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	__u8 pad;
};
struct heddle_service {
	__u32 network;  /* whose members may use it */
	__u32 list;     /* id of the backend list, never used again for another one */
	__u32 count;    /* rows in it that calls go to, in turn; 0: calls are refused */
	__u32 next;     /* round robin; the programs add to it */
	__u32 kept;     /* rows after those: backends that get no new flows */
	__u32 affinity; /* seconds that a client returns to its backend after its last call; 0: none
			 */
	__u32 reserved[2];
};

/*
 * heddle_backends: a list is complete before a service names it and deleted after none does. A
 * backend has as many rows as its weight gives it of the whole, spread evenly.
 */
struct heddle_backend_key {
	__u32 list;
	__u32 slot; /* 0 .. count + kept - 1 */
};
struct heddle_backend {
	__be32 address;
	__be16 port;
	__u8 use;       /* enum heddle_backend_use */
	__u8 weight;    /* as it was asked for; 0 counts as 1 */
	__u32 list;     /* as in the key: tells a reader that the element was reused meanwhile */
	__u32 identity; /* reserved: the workload's, for policy */
};
enum heddle_backend_use {
	HEDDLE_BACKEND_READY = 0,
	HEDDLE_BACKEND_DRAINING = 1, /* keeps its flows, unconnected sockets' too */
	HEDDLE_BACKEND_FAILING = 2, /* its connections are not ended; unconnected sockets move on */
};

/* heddle_affinity: the backend that a client's call to a service went to last. Its client is its
 * network namespace. */
struct heddle_affinity_key {
	__u64 cookie;
	struct heddle_service_key service;
};
struct heddle_affinity {
	__u64 used; /* bpf_ktime_get_ns() of the last call */
	__be32 address;
	__be16 port;
	__u16 pad;
	__u32 list; /* that it was last seen ready in */
	__u32 reserved;
};

/* heddle_members: a network namespace by cookie and what it may use. The entry with network
 * HEDDLE_MEMBER_SELF says that it is a member at all, and carries the flags. */
#define HEDDLE_MEMBER_SELF 0xffffffffu
struct heddle_member_key {
	__u64 cookie;
	__u32 network;
	__u32 pad;
};
struct heddle_member {
	__u32 flags;    /* enum heddle_member_flag */
	__u32 identity; /* reserved */
};
enum heddle_member_flag {
	HEDDLE_MEMBER_RESOLVER = 1, /* DNS is brought to HEDDLE_RESOLVER_ADDRESS */
};
#define HEDDLE_RESOLVER_ADDRESS 0x7f00000b /* 127.0.0.11, host order */
#define HEDDLE_RESOLVER_PORT 53            /* host order */

/* heddle_intercepts: a namespace with a sidecar, by cookie. */
struct heddle_intercept {
	__u64 proxy_cgroup;   /* id; processes in it or below are exempt */
	__be16 outbound_port; /* on 127.0.0.1; 0: outbound is left alone */
	__be16 inbound_port;  /* of the socket in heddle_sidecars, for observation */
	__u32 flags;          /* reserved */
	__u64 reserved;
};

/* heddle_inbound: a port that sk_lookup brings to the sidecar. The value is reserved. */
struct heddle_inbound_key {
	__u64 cookie;
	__u16 port; /* host order */
	__u16 pad[3];
};

/* heddle_originals: where a connection that was brought to the sidecar wanted to go, by the
 * client's own address and port, as the accepting side sees them. */
struct heddle_original_key {
	__u64 cookie; /* of the network namespace */
	__be32 address;
	__be16 port;
	__u16 pad;
};
struct heddle_original {
	__be32 address;
	__be16 port;
	__u16 pad;
};

/* heddle_sockets: memory of one socket, freed with it. Slot 0 is what connect() rewrote; the others
 * are the latest destinations of an unconnected UDP socket. */
#define HEDDLE_SOCKET_FLOWS 8 /* a power of two */
struct heddle_flow {
	__be32 wanted; /* what the program asked for; 0: unused */
	__be32 actual; /* what it got */
	__be16 wanted_port;
	__be16 actual_port;
	__u32 list; /* backend list `actual` was last seen in; 0: no service */
};
struct heddle_socket {
	struct heddle_flow flows[HEDDLE_SOCKET_FLOWS];
	__u32 newest; /* slot last taken by sendmsg */
	__u32 flags;  /* enum heddle_socket_flag */
};
enum heddle_socket_flag {
	HEDDLE_SOCKET_INTERCEPTED = 1, /* flows[0] goes to the sidecar */
};

/* What the iterator heddle_stale writes: a socket that was connected by a VIP and whose backend is
 * gone. Addresses are IPv4, of a v4-mapped socket too. */
struct heddle_stale_socket {
	__u64 netns;  /* cookie of its network namespace */
	__u64 cookie; /* its own */
	__be32 own;
	__be32 peer;
	__be32 vip;
	__be16 own_port;
	__be16 peer_port;
	__be16 vip_port;
	__u8 protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	__u8 family;   /* AF_INET or AF_INET6 */
	__u32 device;  /* that it is bound to; 0: none */
};

/* A service has at most this many backends: a list is replaced in one go and searched. */
#define HEDDLE_SERVICE_BACKENDS_MAX 256
/* And rows: those of backends that are ready, and one for each other. */
#define HEDDLE_SERVICE_READY_ROWS_MAX 1024
#define HEDDLE_SERVICE_ROWS_MAX (HEDDLE_SERVICE_READY_ROWS_MAX + HEDDLE_SERVICE_BACKENDS_MAX)
#define HEDDLE_BACKEND_WEIGHT_MAX 255

HEDDLE_ABI_ASSERT(sizeof(struct heddle_service_key) == 8);
HEDDLE_ABI_ASSERT(sizeof(struct heddle_service) == 32);
HEDDLE_ABI_ASSERT(sizeof(struct heddle_backend_key) == 8);
HEDDLE_ABI_ASSERT(sizeof(struct heddle_backend) == 16);
HEDDLE_ABI_ASSERT(sizeof(struct heddle_affinity_key) == 16);
HEDDLE_ABI_ASSERT(sizeof(struct heddle_affinity) == 24);
HEDDLE_ABI_ASSERT(sizeof(struct heddle_member_key) == 16);
HEDDLE_ABI_ASSERT(sizeof(struct heddle_member) == 8);
HEDDLE_ABI_ASSERT(sizeof(struct heddle_intercept) == 24);
HEDDLE_ABI_ASSERT(sizeof(struct heddle_inbound_key) == 16);
HEDDLE_ABI_ASSERT(sizeof(struct heddle_original_key) == 16);
HEDDLE_ABI_ASSERT(sizeof(struct heddle_original) == 8);
HEDDLE_ABI_ASSERT(sizeof(struct heddle_flow) == 16);
HEDDLE_ABI_ASSERT(sizeof(struct heddle_stale_socket) == 40);
HEDDLE_ABI_ASSERT(sizeof(struct heddle_socket) == 136);
