#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "netd/cluster/cluster.h"
#include "netd/mesh/mesh.h"
#include "netd/model/view.h"

// What a node can be asked to do: one method per operation of the API, in model values.
namespace heddle::control {

// References are names, ids or unique prefixes of ids; a workload also `netns:PATH` or `pid:N`.
struct NetworkSpec {
  std::string name;
  std::string driver;                 // "": bridge
  std::optional<model::Scope> scope;  // the driver's, if given
  // Ranges of either family. Each gateway, range and reserved address belongs to the one subnet
  // that contains it.
  std::vector<Prefix> subnets;
  std::vector<IpAddr> gateways;
  std::vector<Prefix> ranges;
  std::map<std::string, IpAddr> reserved;
  bool ipv4 = true;   // without an IPv4 subnet: choose one
  bool ipv6 = false;  // without an IPv6 subnet: choose one, of a unique local prefix (RFC 4193)
  bool internal = false;
  bool attachable = true;
  bool config_only = false;
  std::string config_from;
  std::map<std::string, std::string> options;
  model::Labels labels;
};

// What is absent stays as it is.
struct NetworkUpdate {
  std::string network;
  // New ranges; one that contains a present one of its network and starts with its first address
  // replaces it (it grows).
  std::vector<Prefix> subnets;
  std::vector<IpAddr> gateways;
  std::vector<Prefix> ranges;
  std::map<std::string, IpAddr> reserved;
  bool ipv6 = false;                           // as in NetworkSpec
  std::map<std::string, std::string> options;  // set; "" takes one away
  model::Labels labels;
  std::vector<std::string> removed_labels;
};

struct SubnetUse {
  Prefix prefix;
  std::uint64_t used = 0;
  std::uint64_t free = 0;  // that could be given now; at most 2^63
  std::string conflict;    // what of this host overlaps it now, in words
};

// Which unused networks go: those that all of it is true of.
struct PruneSpec {
  std::optional<model::Time> until;         // made before it
  std::vector<std::string> labels;          // `KEY` or `KEY=VALUE`: has each
  std::vector<std::string> without_labels;  // has none
};

struct ConnectSpec {
  std::string network;
  std::string workload;
  std::optional<IpAddr> address;
  std::optional<IpAddr> address6;
  std::vector<IpAddr> link_local;
  std::optional<Mac> mac;
  std::string interface;
  std::vector<std::string> aliases;
  std::string service;
  std::vector<model::ServicePort> ports;
  std::vector<model::PublishedPort> published;
  int gateway_priority = 0;
  std::map<std::string, std::string> sysctls;
  std::map<std::string, std::string> options;
  std::uint64_t rate_in = 0;  // bits a second; 0: no limit
  std::uint64_t rate_out = 0;
};

// Ports of an endpoint that is there.
struct PublishSpec {
  std::string network;  // "": the workload's only one
  std::string workload;
  std::vector<model::PublishedPort> add;
  std::vector<model::PublishedPort> remove;
};

struct RunSpec {
  std::string name;
  std::vector<std::string> command;
  std::map<std::string, std::string> environment;
  std::string directory;
  model::RestartPolicy restart = model::RestartPolicy::no;
  std::vector<ConnectSpec> networks;
  model::Labels labels;
};

struct LoadBalancerSpec {
  std::string name;
  std::string network;
  std::vector<model::LbListener> listeners;
  std::vector<model::TargetGroup> target_groups;
};

struct ProxiedWorkload {
  model::Workload workload;
  mesh::ProxyStatus status;
  std::vector<std::uint16_t> inbound;
};

struct Verified {
  std::vector<std::string> differences;  // a sentence each
  std::vector<std::string> repaired;     // when asked to
  std::vector<std::string> notes;        // of the host, which may be meant so: no difference
};

struct Capability {
  std::string name;
  bool present = false;
  std::string lost;  // what does not work without it
};
struct DropCount {
  std::string reason;
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};
struct DnsInfo {
  struct Upstream {
    SocketAddr address;
    bool up = true;
  };
  struct Counter {
    std::string name;
    std::uint64_t value = 0;
  };
  std::string host_resolver;  // Resolvers::host_state()
  std::vector<Upstream> upstreams;
  std::vector<Counter> counters;
};
struct SystemInfo {
  std::string node_name;
  std::string kernel;
  std::string state_dir;
  std::string run_dir;
  std::string cgroup;
  cluster::Cluster::Role role = cluster::Cluster::Role::none;
  std::vector<Capability> capabilities;
  std::vector<DropCount> drops;
  std::vector<std::string> notes;  // as of Verified
  DnsInfo dns;
};

enum class Repair { no, yes };
enum class Force { no, yes };

// Threads: any; calls block until the operation is stored and applied, or refused with nothing
//          changed.
// Errors:  as their texts say; see netd/api/status.h for how they travel.
class Daemon {
 public:
  virtual ~Daemon() = default;

  // Everything known at this moment; later changes make a new one.
  virtual std::shared_ptr<const model::View> view() = 0;

  virtual Result<model::Network> create_network(NetworkSpec spec, Deadline deadline) = 0;
  virtual Result<> remove_network(std::string network, Deadline deadline) = 0;
  virtual Result<model::Network> update_network(NetworkUpdate update, Deadline deadline) = 0;
  // By subnet, in the network's order; of a swarm network what this node has of it.
  virtual Result<std::vector<SubnetUse>> subnet_use(std::string network) = 0;
  // Removes networks without endpoints, load balancers or networks made from them; swarm networks
  // only where this node is a manager. The names of those that went, sorted; what failed to go is
  // left, unless nothing went.
  virtual Result<std::vector<std::string>> prune_networks(PruneSpec spec, Deadline deadline) = 0;
  // The link that carries a network on this node; "" while none is needed.
  virtual std::string device_of(const model::Network& network) = 0;
  // This host's end of the links of a network's endpoints here, by endpoint; those that have such
  // an end.
  virtual Result<std::map<model::Id, std::string>> endpoint_devices(model::Id network) = 0;
  virtual Result<model::Endpoint> connect(ConnectSpec spec, Deadline deadline) = 0;
  virtual Result<> disconnect(std::string network, std::string workload, Deadline deadline) = 0;
  virtual Result<model::Endpoint> publish(PublishSpec spec, Deadline deadline) = 0;

  struct Started {
    model::Workload workload;
    std::vector<model::Endpoint> endpoints;
  };
  virtual Result<Started> run(RunSpec spec, Deadline deadline) = 0;
  // Containers that could be named, by reference; those of engines that answer in time.
  virtual std::vector<std::string> running_containers(Deadline deadline) = 0;
  virtual Result<> remove_workload(std::string workload, Force force, Deadline deadline) = 0;

  struct ServiceSpec {
    std::string name;
    std::string network;
    std::vector<model::ServicePort> ports;
    cluster::Cluster::Vip vip = cluster::Cluster::Vip::yes;
    model::Labels labels;
  };
  // Declares a service, which outlives its backends.
  virtual Result<model::Service> create_service(ServiceSpec spec, Deadline deadline) = 0;
  virtual Result<model::Service> update_service(std::string service,
                                                cluster::Cluster::ServiceChange change,
                                                Deadline deadline) = 0;
  virtual Result<> remove_service(std::string service, Deadline deadline) = 0;

  // The cluster's own calls; the daemon adds what it knows of this host (addresses, free ports).
  struct SwarmInit {
    std::optional<IpAddr> advertise;  // absent: the host's only global address
    std::uint16_t api_port = 7373;
    std::optional<IpAddr> data_address;
    std::optional<std::uint16_t> vxlan_port;
    std::optional<Prefix> pool;
    Force force_new_cluster = Force::no;  // see Cluster::force_new_cluster
  };
  virtual Result<model::Node> swarm_init(SwarmInit request, Deadline deadline) = 0;
  struct SwarmJoin {
    std::string token;
    std::string manager;
    std::optional<IpAddr> advertise;
    std::uint16_t api_port = 7373;
    std::optional<IpAddr> data_address;
  };
  virtual Result<model::Node> swarm_join(SwarmJoin request, Deadline deadline) = 0;
  virtual Result<> swarm_leave(Force force, Deadline deadline) = 0;
  virtual Result<cluster::Cluster::Token> join_token(model::NodeRole role,
                                                     cluster::Cluster::Rotate rotate,
                                                     std::optional<std::chrono::seconds> ttl,
                                                     Deadline deadline) = 0;

  virtual Result<model::Node> set_node_role(std::string node, model::NodeRole role,
                                            Deadline deadline) = 0;
  virtual Result<model::Node> update_node(std::string node, cluster::Cluster::NodeChange change,
                                          Deadline deadline) = 0;
  virtual Result<> remove_node(std::string node, Force force, Deadline deadline) = 0;
  virtual std::vector<cluster::Cluster::ManagerState> managers(Deadline deadline) = 0;

  virtual Result<ProxiedWorkload> inject_sidecar(std::string workload, Deadline deadline) = 0;
  virtual Result<> eject_sidecar(std::string workload, Deadline deadline) = 0;
  virtual std::optional<mesh::ProxyStatus> proxy_status(const model::Id& workload) = 0;

  virtual Result<model::LoadBalancer> create_load_balancer(LoadBalancerSpec spec,
                                                           Deadline deadline) = 0;
  virtual Result<> remove_load_balancer(std::string load_balancer, Deadline deadline) = 0;

  virtual Result<Verified> verify(Repair repair) = 0;
  virtual Result<SystemInfo> system_info() = 0;
  // Takes everything of this node out of kernel and state, then asks the program to end.
  virtual Result<> reset(Deadline deadline) = 0;
};

}  // namespace heddle::control
