#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/net/ip.h"
#include "common/net/link.h"
#include "netd/model/ids.h"

// What users declare and nodes report, as plain values. The store holds them, plans read them.
namespace heddle::model {

using Labels = std::map<std::string, std::string>;
using Time = std::chrono::sys_seconds;

// One IPv4 or IPv6 range of a network.
struct Subnet {
  Prefix prefix;
  IpAddr gateway;                          // unspecified: the network has none in this range
  std::optional<Prefix> range;             // addresses that nobody names are chosen from it
  std::map<std::string, IpAddr> reserved;  // somebody else's in this range, by name: never given
  friend bool operator==(const Subnet&, const Subnet&) = default;
};

struct Network {
  Id id;
  std::string name;
  std::string driver;  // bridge, overlay, macvlan, ipvlan, host, none
  Scope scope = Scope::local;
  std::vector<Subnet> subnets;  // none for the drivers host and none; IPv4 ones first
  bool internal = false;        // no way out of the network
  bool attachable = true;       // else only endpoints that name a service may be made
  // Holds subnets, options and labels for networks made with its name as `config_from`, and cannot
  // be connected to.
  bool config_only = false;
  std::string config_from;                     // name; "": the network has its own
  std::map<std::string, std::string> options;  // the driver's, validated by it
  Labels labels;
  Vni vni;  // overlay: unique in the swarm; else none
  Time created{};
  friend bool operator==(const Network&, const Network&) = default;
};

enum class WorkloadKind {
  run,            // heddle run: a process that this node starts, and its sandbox
  netns,          // a namespace somebody else made, by path
  pid,            // the namespace of a process somebody else started
  load_balancer,  // a sandbox that heddled made for a load balancer's proxy
  docker,         // a container of the Docker engine; it stays known while it is stopped
  podman,         // a container of Podman, likewise
};
enum class RestartPolicy { no, on_failure, always };
enum class WorkloadState { starting, running, exited, gone };

// Whatever endpoints belong to; lives on one node.
struct Workload {
  Id id;
  std::string name;  // unique on its node
  WorkloadKind kind = WorkloadKind::netns;
  std::string sandbox;  // path of its network namespace; "" while a container does not run
  std::string
      sandbox_owner;  // pid: `PID:STARTTIME` (proc(5)), so that a reused pid is not taken for it
  std::string container;       // docker, podman: the container's whole id
  std::string container_name;  // as its engine has it; `name` is made of it
  // docker, podman: its engine gave the sandbox a way out, IPv4 and IPv6; ours then wait to be
  // asked for by a gateway priority.
  bool routed = false;
  bool routed6 = false;
  // kind run only
  std::vector<std::string> command;
  std::map<std::string, std::string> environment;
  std::string directory;  // where the command starts; absolute
  RestartPolicy restart = RestartPolicy::no;
  Labels labels;
  Time created{};
  // Status, written by this node alone.
  WorkloadState state = WorkloadState::starting;
  std::int64_t pid = 0;
  std::string pid_start;  // STARTTIME of pid
  int exit_status = 0;    // of the last end; 128 + signal
  std::uint32_t restarts = 0;
  friend bool operator==(const Workload&, const Workload&) = default;
};

enum class Protocol : std::uint8_t { tcp = 6, udp = 17 };
enum class AppProtocol : std::uint8_t { automatic, tcp, http1, http2 };

struct ServicePort {
  std::string name;        // SRV: _http; "" when there is one port without a name
  std::uint16_t port = 0;  // at the VIP and at the endpoint
  Protocol protocol = Protocol::tcp;
  AppProtocol app = AppProtocol::automatic;
  friend bool operator==(const ServicePort&, const ServicePort&) = default;
};

// What `-p` asks for: ports of the host that lead to an endpoint. `count` of them in a row, one to
// one.
enum class PublishedProtocol : std::uint8_t { tcp = 6, udp = 17, sctp = 132 };  // IPPROTO_*
struct PublishedPort {
  std::optional<IpAddr> host_address;  // absent: each address of the host, of both families
  std::uint16_t host_port = 0;         // the first
  std::uint16_t port = 0;              // the first, of the endpoint
  std::uint16_t count = 1;
  PublishedProtocol protocol = PublishedProtocol::tcp;
  friend auto operator<=>(const PublishedPort&, const PublishedPort&) = default;
};

enum class EndpointState { starting, ready, draining, gone };

// One workload's attachment to one network.
struct Endpoint {
  Id id;
  Id network;
  Id workload;
  std::string workload_name;
  Id node;                         // "" for a node outside a swarm
  IfAddr address;                  // IPv4; the IPv6 one in a network without IPv4
  std::optional<IfAddr> address6;  // IPv6, beside an IPv4 one
  std::vector<IfAddr> link_local;  // further ones, of 169.254.0.0/16 or fe80::/10
  Mac mac;
  std::string interface;  // inside the sandbox: eth0
  std::vector<std::string> aliases;
  std::string service;             // "" or the name of the service that it is a backend of
  std::vector<ServicePort> ports;  // of the service
  std::vector<PublishedPort> published;
  int gateway_priority = 0;  // the endpoint with the highest gives its sandbox the way out
  // Of its interface: `net.ipv4.conf.IFNAME.rp_filter` -> 2, with IFNAME as it stands.
  std::map<std::string, std::string> sysctls;
  std::uint64_t rate_in = 0;   // bits a second towards the workload; 0: no limit
  std::uint64_t rate_out = 0;  // and from it
  std::uint32_t weight = 1;
  EndpointState state = EndpointState::starting;
  Time created{};
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// A name with a VIP; its backends are the endpoints of its network which name it. Made when the
// first of them comes, gone with the last unless declared by hand.
struct Service {
  Id id;
  std::string name;  // unique in its network
  Id network;
  IpAddr vip;
  std::vector<ServicePort> ports;
  bool declared = false;  // by `service create`: outlives its backends
  Labels labels;
  Time created{};
  friend bool operator==(const Service&, const Service&) = default;
};

enum class NodeRole { worker, manager };
enum class NodeStatus { unknown, ready, down };
// What a node is there for, as people say. Paused: no new backends of services. Drained: that, and
// the ones it has get no new connections.
enum class Availability { active, pause, drain };

struct Node {
  Id id;
  std::string name;  // host name at join; unique
  NodeRole role = NodeRole::worker;
  IpAddr address;  // node API
  std::uint16_t api_port = 7373;
  IpAddr data_address;  // VTEP
  // Changes at each start that found the kernel empty (a reboot). A probe's answer counts only when
  // it carries this number: what other nodes know of this one is then at least as new as its
  // kernel.
  std::uint64_t epoch = 0;
  NodeStatus status = NodeStatus::unknown;  // the manager's view: does its session live?
  Time joined{};
  Availability availability = Availability::active;
  Labels labels;
  friend bool operator==(const Node&, const Node&) = default;
};

// A part of a swarm network's subnet that one node assigns from.
struct AddressBlock {
  Id network;
  Prefix prefix;
  Id node;
  friend bool operator==(const AddressBlock&, const AddressBlock&) = default;
};

struct Sidecar {
  Id workload;
  friend bool operator==(const Sidecar&, const Sidecar&) = default;
};

// A listener on an outside address of one node, in front of services of one network.
struct LbRule {
  std::uint32_t priority = 0;  // lowest first
  std::string host;            // exact or *.suffix; "" any
  std::string path_prefix;     // "" any
  std::string target_group;
  friend bool operator==(const LbRule&, const LbRule&) = default;
};
struct LbListener {
  SocketAddr address;  // on the node; 0.0.0.0 for all
  AppProtocol protocol = AppProtocol::http1;
  std::string default_target_group;
  std::vector<LbRule> rules;
  friend bool operator==(const LbListener&, const LbListener&) = default;
};
enum class LbAlgorithm { round_robin, least_request };
struct TargetGroup {
  std::string name;
  std::string service;  // by name, in the load balancer's network
  std::uint16_t port = 0;
  LbAlgorithm algorithm = LbAlgorithm::round_robin;
  friend bool operator==(const TargetGroup&, const TargetGroup&) = default;
};
struct LoadBalancer {
  Id id;
  std::string name;
  Id network;
  Id node;
  std::vector<LbListener> listeners;
  std::vector<TargetGroup> target_groups;
  Time created{};
  friend bool operator==(const LoadBalancer&, const LoadBalancer&) = default;
};

// What every member of a swarm knows of it.
struct Swarm {
  Id id;
  std::uint16_t vxlan_port = 4789;
  Prefix pool;  // subnets of swarm networks come from it
  int subnet_length = 20;
  friend bool operator==(const Swarm&, const Swarm&) = default;
};

}  // namespace heddle::model
