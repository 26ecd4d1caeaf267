#pragma once
/*
 * Every pinned map: its versioned name, maximum, and memory when full (without the hash buckets,
 * 8 bytes per maximum entry). The version changes with the layout of key or value; a daemon reads the
 * old one, writes the new one and removes the old. Hash maps allocate as entries come
 * (BPF_F_NO_PREALLOC); an element costs key + value + about 48 bytes.
 */

#define HEDDLE_DROPS_MAX 64          /* 1 KB per CPU; programs add */
#define HEDDLE_NODE_MAX 1            /* 64 B */
#define HEDDLE_NETWORKS_MAX 4096     /* 0.4 MB */
#define HEDDLE_ADDRESSES_MAX 262144  /* 22 MB: 64 networks of a /20 */
#define HEDDLE_PORTS_MAX 16384       /* 1.4 MB */
#define HEDDLE_SERVICES_MAX 16384    /* 1.4 MB: VIPs times ports */
#define HEDDLE_BACKENDS_MAX 262144   /* 19 MB */
#define HEDDLE_MEMBERS_MAX 65536     /* 4.7 MB: namespaces times (networks + 1) */
#define HEDDLE_INTERCEPTS_MAX 16384  /* 1.3 MB */
#define HEDDLE_INBOUND_MAX 65536     /* 4.7 MB: namespaces times ports */
#define HEDDLE_SIDECARS_MAX 16384    /* 1.1 MB */
#define HEDDLE_ORIGINALS_MAX 65536   /* 4.7 MB, allocated at once: LRU; needed for one handshake each */

#define HEDDLE_MAP_DROPS "heddle_drops_v1"
#define HEDDLE_MAP_NODE "heddle_node_v1"
#define HEDDLE_MAP_NETWORKS "heddle_networks_v1"
#define HEDDLE_MAP_ADDRESSES "heddle_addrs_v1"
#define HEDDLE_MAP_PORTS "heddle_ports_v1"
#define HEDDLE_MAP_SERVICES "heddle_services_v1"
#define HEDDLE_MAP_BACKENDS "heddle_backends_v1"
#define HEDDLE_MAP_MEMBERS "heddle_members_v1"
#define HEDDLE_MAP_INTERCEPTS "heddle_intercepts_v1"
#define HEDDLE_MAP_INBOUND "heddle_inbound_v1"
#define HEDDLE_MAP_SIDECARS "heddle_sidecars_v1"
#define HEDDLE_MAP_ORIGINALS "heddle_originals_v1"
#define HEDDLE_MAP_SOCKETS "heddle_sockets_v1"
