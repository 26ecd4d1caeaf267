#pragma once
/*
 * Why a packet or a call was refused. Append only: the numbers are metric labels and the positions
 * of counters in a pinned map that a newer daemon adopts.
 */
#include "ebpf/abi/types.h"

#define HEDDLE_DROP_REASONS(X)                                                                     \
	X(NO_PORT, "the device is no endpoint's")                                                  \
	X(NO_NETWORK, "no network has this VNI here")                                              \
	X(MALFORMED, "packet shorter than its headers, or a header that contradicts itself")       \
	X(NOT_IPV4, "neither IPv4 nor ARP: not carried by overlay networks yet")                   \
	X(SPOOFED_MAC, "source Ethernet address is not the endpoint's")                            \
	X(SPOOFED_SOURCE, "source address is not the sender's, or lives on another node")          \
	X(UNKNOWN_SOURCE, "source address is no known endpoint's and in no other node's block")    \
	X(MULTICAST, "multicast or broadcast other than ARP")                                      \
	X(NO_ENDPOINT, "no endpoint owns this address")                                            \
	X(INTERNAL_NETWORK, "destination outside an internal network")                             \
	X(NOT_LOCAL, "arrived for an endpoint that does not live on this node")                    \
	X(NO_UNDERLAY, "no underlay is set up, remote endpoints cannot be reached")                \
	X(NO_TUNNEL_KEY, "arrived on the VXLAN device without a tunnel key")                       \
	X(ARP_IGNORED, "ARP that needs no answer: an announcement or a probe for itself")          \
	X(PROBE_NOT_READY, "a peer's probe, and this node has no epoch yet")                       \
	X(HELPER_FAILED, "the kernel refused to rewrite or redirect the packet")                   \
	X(NO_BACKEND, "the service has no ready backend: the call was refused")                    \
	X(BACKEND_CHANGED, "the service's backends changed faster than they could be read")        \
	X(NO_SIDECAR, "the sidecar does not listen: the connection was refused")                   \
	X(NO_STORAGE, "no memory to remember a socket's destination: the call was refused")

#define HEDDLE_DROP_ENUM(name, text) HEDDLE_DROP_##name,
enum heddle_drop_reason {
	HEDDLE_DROP_REASONS(HEDDLE_DROP_ENUM) HEDDLE_DROP_COUNT
};
#undef HEDDLE_DROP_ENUM

/* Entries of the counter map: room for reasons to come, so that its layout never changes. */
#define HEDDLE_DROP_MAX 64

/* One reason on one CPU. Bytes are 0 for refused calls. */
struct heddle_drop_counter {
	__u64 packets;
	__u64 bytes;
};

HEDDLE_ABI_ASSERT(sizeof(struct heddle_drop_counter) == 16);
HEDDLE_ABI_ASSERT(HEDDLE_DROP_COUNT <= HEDDLE_DROP_MAX);
