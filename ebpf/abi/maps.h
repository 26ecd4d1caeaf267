#pragma once
/*
 * Every pinned map: its versioned name, maximum, and memory empty and full. The version changes
 * with the layout of key or value; a daemon reads the old one, writes the new one and removes the
 * old. Hash maps take 16 bytes per maximum entry at once, and each entry as it comes
 * (BPF_F_NO_PREALLOC): key, value and about 48 bytes. Empty, all together take 8.3 MB: many daemons
 * may share a kernel in a lab.
 */

#define HEDDLE_DROPS_MAX 64         /* 1 KB per CPU; programs add */
#define HEDDLE_NODE_MAX 1           /* 64 B */
#define HEDDLE_NETWORKS_MAX 4096    /* 64 KB - 0.4 MB */
#define HEDDLE_ADDRESSES_MAX 131072 /* 2 - 13 MB: 32 full networks of a /20 */
#define HEDDLE_BLOCKS_MAX 131072    /* 0 - 12 MB: a trie, nothing at once */
#define HEDDLE_PORTS_MAX 16384      /* 0.3 - 1.6 MB: endpoints of this node */
#define HEDDLE_SERVICES_MAX 16384   /* 0.3 - 1.7 MB: VIPs times ports */
#define HEDDLE_BACKENDS_MAX 65536   /* 1 - 6 MB: rows, several to a backend with a weight */
#define HEDDLE_AFFINITY_MAX 16384   /* 1.6 MB at once: LRU; without an entry another is chosen */
#define HEDDLE_MEMBERS_MAX 32768    /* 0.5 - 3 MB: namespaces times (networks + 1) */
#define HEDDLE_INTERCEPTS_MAX 8192  /* 0.1 - 0.8 MB */
#define HEDDLE_INBOUND_MAX 32768    /* 0.5 - 3 MB: namespaces times ports */
#define HEDDLE_SIDECARS_MAX 8192    /* 0.1 - 0.7 MB */
#define HEDDLE_ORIGINALS_MAX 16384  /* 1.6 MB at once: LRU; an entry is needed for one handshake */

#define HEDDLE_FLOWS_BYTES 262144 /* at once: 4096 events of the ring */

#define HEDDLE_MAP_WATCH "heddle_watch_v1"
#define HEDDLE_MAP_FLOWS "heddle_flows_v1"
#define HEDDLE_MAP_DROPS "heddle_drops_v1"
#define HEDDLE_MAP_NODE "heddle_node_v1"
#define HEDDLE_MAP_NETWORKS "heddle_networks_v1"
#define HEDDLE_MAP_ADDRESSES "heddle_addrs_v1"
#define HEDDLE_MAP_BLOCKS "heddle_blocks_v1"
#define HEDDLE_MAP_PORTS "heddle_ports_v1"
#define HEDDLE_MAP_SERVICES "heddle_services_v1"
#define HEDDLE_MAP_BACKENDS "heddle_backends_v1"
#define HEDDLE_MAP_AFFINITY "heddle_affinity_v1"
#define HEDDLE_MAP_MEMBERS "heddle_members_v1"
#define HEDDLE_MAP_INTERCEPTS "heddle_intercepts_v1"
#define HEDDLE_MAP_INBOUND "heddle_inbound_v1"
#define HEDDLE_MAP_SIDECARS "heddle_sidecars_v1"
#define HEDDLE_MAP_ORIGINALS "heddle_originals_v1"
#define HEDDLE_MAP_SOCKETS "heddle_sockets_v1"
