#pragma once
/*
 * How a node learns whether a peer's dataplane lives: a UDP packet to the peer's VXLAN port that
 * carries a VXLAN header with VNI 0 and this payload. The program on the peer's underlay device
 * answers in place (addresses and ports swapped, kind and epoch replaced), so the answer does not
 * depend on any process there. The answer comes from the VXLAN port to the asker's source port.
 * Nothing is answered while the peer's epoch is 0.
 */
#include "ebpf/abi/types.h"

#define HEDDLE_PROBE_MAGIC 0x48645062 /* "HdPb" */
#define HEDDLE_PROBE_VERSION 1

enum heddle_probe_kind {
	HEDDLE_PROBE_REQUEST = 1,
	HEDDLE_PROBE_REPLY = 2,
};

/* RFC 7348, section 5. */
struct heddle_vxlan_header {
	__u8 flags; /* HEDDLE_VXLAN_FLAG_VNI, all else 0 */
	__u8 reserved1[3];
	__u8 vni[3]; /* network order */
	__u8 reserved2;
};
#define HEDDLE_VXLAN_FLAG_VNI 0x08

struct heddle_probe {
	__be32 magic;
	__u8 version;
	__u8 kind;    /* enum heddle_probe_kind */
	__u16 pad;    /* 0 */
	__be64 nonce; /* the asker's, returned unchanged */
	__be64 epoch; /* 0 in a request; in a reply the answering node's */
};

/* The whole UDP payload. */
struct heddle_probe_packet {
	struct heddle_vxlan_header vxlan;
	struct heddle_probe probe;
};

HEDDLE_ABI_ASSERT(sizeof(struct heddle_vxlan_header) == 8);
HEDDLE_ABI_ASSERT(sizeof(struct heddle_probe) == 24);
HEDDLE_ABI_ASSERT(sizeof(struct heddle_probe_packet) == 32);
