#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "common/net/ip.h"
#include "common/net/link.h"

// What a node's kernel should hold for Heddle (the intent), and what it holds (the observation):
// one set of types for both, so that a difference is a comparison. Pure values. Objects are named
// as people and the store know them; interface indexes and namespace cookies are found when
// applied.
namespace heddle::dataplane {

// A network namespace by path: /run/heddle/netns/c1, /proc/123/ns/net, /run/netns/x.
using SandboxPath = std::string;

// Bridge of a local network, in the daemon's own namespace. bridge(8).
struct Bridge {
  std::string name;               // unique, 1..15 bytes
  Mac mac;                        // fixed: a bridge otherwise takes its lowest port's
  std::uint32_t mtu = 1500;       // bytes
  std::vector<IfAddr> addresses;  // the gateways'; sorted
  bool multicast_snooping = true;
  friend auto operator<=>(const Bridge&, const Bridge&) = default;
};

struct Route {
  Prefix destination;
  std::optional<IpAddr> via;  // absent: on the link
  friend auto operator<=>(const Route&, const Route&) = default;
};

// A VLAN of a device of the host, as parent of endpoints. IEEE 802.1Q.
struct VlanDevice {
  std::string name;      // unique, 1..15 bytes: eth0.50
  std::string parent;    // eth0
  std::uint16_t id = 0;  // 1..4094
  friend auto operator<=>(const VlanDevice&, const VlanDevice&) = default;
};

enum class LinkKind { veth, macvlan, ipvlan };
// How endpoints of one parent see each other: the first four are macvlan's, the last three
// ipvlan's. ip-link(8).
enum class ParentMode { none, bridge, vepa, separate, passthru, l2, l3, l3s };

// One endpoint's interface. Of kind veth, a pair: host side here, the other in the workload's
// sandbox. veth(4). A bridge endpoint's host side is a port of `bridge`; an overlay endpoint's has
// the overlay program on its clsact ingress and an entry in `ports`. Of kind macvlan or ipvlan
// there is no host side: the interface lies on `parent`, and carries `host_name` as its alias;
// `host_mac` means nothing then, and `mac` nothing where it is the parent's (ipvlan, passthru).
struct Attachment {
  std::string host_name;  // host side, unique, 1..15 bytes
  LinkKind kind = LinkKind::veth;
  SandboxPath sandbox;
  std::string name;               // inside the sandbox: eth0
  Mac host_mac;                   // overlay: the anycast gateway's
  Mac mac;                        // inside
  std::uint32_t mtu = 1500;       // bytes, both ends
  std::vector<IfAddr> addresses;  // inside; sorted
  std::vector<Route> routes;      // inside, through this interface; sorted
  std::string bridge;             // name of the master, or empty
  std::optional<Vni> overlay;     // set: program attached, port entry present
  std::string parent;             // macvlan, ipvlan: a device of the daemon's namespace
  ParentMode mode = ParentMode::none;
  bool isolated = false;       // bridge port that exchanges nothing with other isolated ones
  std::uint64_t rate_in = 0;   // bits a second of Ethernet frames towards the sandbox; 0: no limit
  std::uint64_t rate_out = 0;  // and from it
  std::map<std::string, std::string> sysctls;  // inside, of this interface only
  friend auto operator<=>(const Attachment&, const Attachment&) = default;
};

// The node's way to its peers: the device whose clsact ingress decapsulates, and the one
// collect-metadata VXLAN device. RFC 7348.
struct Underlay {
  std::string device;  // eth0
  IpAddr address;      // outer source, always set, never guessed
  std::string vxlan_name;
  std::uint16_t vxlan_port = 4789;  // UDP
  std::uint32_t mtu = 1450;         // of the vxlan device, bytes
  std::uint64_t epoch = 0;          // answered to probes; 0: do not answer
  friend auto operator<=>(const Underlay&, const Underlay&) = default;
};

// A route of the daemon's own namespace to an overlay endpoint here, with its neighbour, so that
// the host's stack (masquerading, published ports) reaches it.
struct HostRoute {
  IpAddr address;      // /32
  std::string device;  // an Attachment's host_name
  Mac mac;             // permanent neighbour entry
  friend auto operator<=>(const HostRoute&, const HostRoute&) = default;
};

// Source NAT for what leaves `subnet` for anything but `subnet` itself. nft(8).
struct Masquerade {
  Prefix subnet;
  std::string except_device;  // traffic out of this device stays as it is (the bridge); may be ""
  friend auto operator<=>(const Masquerade&, const Masquerade&) = default;
};

// What the host's forwarding allows one network: replies to what its endpoints began always, its
// published ports unless it is internal, what else `inbound` and `outbound` say; never traffic with
// other networks of ours. Of an internal network nothing is forwarded in either direction; the host
// itself reaches it. It only ever refuses: the host's own rules decide after it. nft(8).
struct NetworkRules {
  std::string device;           // bridge, or the VXLAN device
  std::vector<Prefix> subnets;  // sorted
  bool inbound = false;         // others may begin: the network is routed
  bool outbound = true;         // endpoints may begin: the network is not internal
  friend auto operator<=>(const NetworkRules&, const NetworkRules&) = default;
};

enum class Protocol : std::uint8_t { tcp = 6, udp = 17, sctp = 132 };  // IPPROTO_*

// One port of the host that leads to an endpoint.
struct PublishedKey {
  Protocol protocol = Protocol::tcp;
  IpAddr address;  // of the host, not ::1; unspecified: all of this family
  std::uint16_t port = 0;
  friend auto operator<=>(const PublishedKey&, const PublishedKey&) = default;
};
struct PublishedTarget {
  IpAddr address;  // of the key's family
  std::uint16_t port = 0;
  friend auto operator<=>(const PublishedTarget&, const PublishedTarget&) = default;
};

// --- what the eBPF programs read; see ebpf/abi ---

// One overlay network on this node.
struct OverlayNetwork {
  Vni vni;
  Prefix subnet;   // IPv4
  IpAddr gateway;  // anycast; ARP for it is answered with gateway_mac
  Mac gateway_mac;
  bool internal = false;  // nothing leaves the network
  friend auto operator<=>(const OverlayNetwork&, const OverlayNetwork&) = default;
};

// Where an overlay address lives.
struct OverlayAddress {
  Vni vni;
  IpAddr address;
  Mac mac;
  std::string local_device;    // host_name of an Attachment here, or empty
  std::optional<IpAddr> vtep;  // the remote node's data address, or absent when local
  friend auto operator<=>(const OverlayAddress&, const OverlayAddress&) = default;
};

// Which other node assigns the addresses of a part of an overlay network's subnet. It vouches for
// addresses without an OverlayAddress: a fresh endpoint sends before this node hears of it.
struct OverlayBlock {
  Vni vni;
  Prefix prefix;  // IPv4
  IpAddr vtep;    // the node's data address
  Mac mac;        // of 0.0.0.0; an address's own differs in the last four bytes, by the address
  friend auto operator<=>(const OverlayBlock&, const OverlayBlock&) = default;
};

// What a backend is still good for. One that is not named at all is gone: sockets that lead to it
// end (EndStaleFlows).
enum class BackendUse : std::uint8_t {
  ready,     // new flows, by its weight
  draining,  // keeps its flows
  failing,   // keeps its connections; unconnected UDP sockets move on
};
struct BackendAddress {
  IpAddr address;
  std::uint16_t port = 0;
  BackendUse use = BackendUse::ready;
  std::uint8_t weight = 1;  // share of new flows; not 0
  friend auto operator<=>(const BackendAddress&, const BackendAddress&) = default;
};

// A service's VIP and port, balanced at connect and sendmsg for members of its network.
struct ServiceEntry {
  std::uint32_t network = 0;  // small number of the network on this node: NetworkNumber
  IpAddr vip;
  std::uint16_t port = 0;
  Protocol protocol = Protocol::tcp;
  std::vector<BackendAddress> backends;  // sorted; none ready: connect fails (ECONNREFUSED)
  std::uint32_t affinity = 0;  // seconds that a sandbox returns to its backend; 0: no affinity
  friend auto operator<=>(const ServiceEntry&, const ServiceEntry&) = default;
};

// A socket that was connected through a VIP and leads to what is no backend of the service any
// more.
struct StaleFlow {
  SandboxPath sandbox;
  Protocol protocol = Protocol::tcp;
  SocketAddr client;   // the socket's own end
  SocketAddr service;  // VIP and port
  SocketAddr backend;
  friend auto operator<=>(const StaleFlow&, const StaleFlow&) = default;
};

// A sandbox whose sockets the hooks act on, and the networks whose VIPs it may use.
struct Member {
  SandboxPath sandbox;
  std::set<std::uint32_t> networks;  // ServiceEntry::network
  bool resolver = false;             // DNS to any port 53 is brought to 127.0.0.11:53
  friend auto operator<=>(const Member&, const Member&) = default;
};

// A workload with a sidecar.
struct Interception {
  SandboxPath sandbox;
  std::uint16_t outbound_port = 15001;  // TCP connects go to 127.0.0.1:this; 0: not intercepted
  std::uint16_t inbound_port = 15006;   // sk_lookup target
  std::set<std::uint16_t> inbound;      // TCP ports steered to it, loopback exempt
  std::string proxy_cgroup;             // path of the proxy's own cgroup: exempt
  friend auto operator<=>(const Interception&, const Interception&) = default;
};

// Everything. Keyed by what identifies each object, so that two states compare in order.
struct HostState {
  std::map<std::string, Bridge> bridges;          // by name
  std::map<std::string, Attachment> attachments;  // by host_name
  std::optional<Underlay> underlay;
  std::map<IpAddr, HostRoute> host_routes;
  std::map<std::string, VlanDevice> vlans;  // by name
  std::set<Masquerade> masquerades;
  std::set<NetworkRules> rules;
  std::map<PublishedKey, PublishedTarget> published;
  std::map<Vni, OverlayNetwork> overlay_networks;
  std::map<std::pair<Vni, IpAddr>, OverlayAddress> overlay_addresses;
  std::map<std::pair<Vni, Prefix>, OverlayBlock> overlay_blocks;
  using ServiceKey = std::tuple<IpAddr, std::uint16_t, Protocol>;  // vip, port, protocol
  std::map<ServiceKey, ServiceEntry> services;
  std::map<SandboxPath, Member> members;
  std::map<SandboxPath, Interception> interceptions;
  std::map<std::string, std::string> sysctls;  // net/ipv4/ip_forward -> 1
  std::set<StaleFlow> stale_flows;             // no intent has any
  // Maps and socket hooks whose pin somebody removed, by their path below the daemon's bpffs: a map
  // would be empty for the next daemon, a hook is off. No intent has any.
  std::set<std::string> missing_pins;
  friend bool operator==(const HostState&, const HostState&) = default;
};

}  // namespace heddle::dataplane
