#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "netd/model/objects.h"

// What a caller says and hears beside model values. Texts that the daemon parses (addresses, names,
// references) go as they were typed: its error names what is wrong with them. References are names,
// ids or unique id prefixes; a workload may also be `netns:PATH`, `pid:N`, `docker:NAME|ID` or
// `podman:NAME|ID`.
namespace heddle::client {

// Each gateway, range and reserved address belongs to the one subnet that contains it.
struct NetworkDraft {
  std::string name;
  std::string driver;                // "": bridge
  std::vector<std::string> subnets;  // none: chosen from the pools
  std::vector<std::string> gateways;
  bool internal = false;
  std::map<std::string, std::string> options;
  model::Labels labels;
  std::optional<model::Scope> scope;  // absent: the driver's
  std::vector<std::string> ranges;
  std::map<std::string, std::string> reserved;  // name -> address
  bool ipv4 = true;
  bool ipv6 = false;
  bool attachable = true;
  bool config_only = false;
  std::string config_from;
};

// What is absent stays as it is.
struct NetworkChange {
  std::string network;
  std::vector<std::string> subnets;
  std::vector<std::string> gateways;
  std::vector<std::string> ranges;
  std::map<std::string, std::string> reserved;
  bool ipv6 = false;
  std::map<std::string, std::string> options;  // "" takes one away
  model::Labels labels;
  std::vector<std::string> removed_labels;
};

struct Filter {  // which ones there are says netd/api/heddle.proto
  std::string key;
  std::string value;
};

struct SubnetUse {
  Prefix prefix;
  std::uint64_t used = 0;
  std::uint64_t free = 0;  // that this node could give now
  std::string conflict;    // what of this host overlaps it now, in words
};

struct NetworkDetails {
  model::Network network;
  std::vector<model::Endpoint> endpoints;
  std::string device;                                 // on this node; "" while none is needed
  std::vector<SubnetUse> subnets;                     // in the network's order
  std::map<model::Id, std::string> endpoint_devices;  // this host's end of a link, by endpoint
};

struct Attachment {
  std::string network;
  std::string workload;   // unused within RunDraft
  std::string address;    // "": chosen
  std::string interface;  // "": eth0, eth1 ...
  std::vector<std::string> aliases;
  std::string service;
  std::vector<model::ServicePort> ports;
  std::string address6;  // "": chosen, in a network with IPv6
  std::vector<std::string> link_local;
  std::string mac;  // "": chosen
  std::vector<model::PublishedPort> published;
  int gateway_priority = 0;
  std::map<std::string, std::string> sysctls;
  std::map<std::string, std::string> options;
  std::uint64_t rate_in = 0;  // bits a second; 0: no limit
  std::uint64_t rate_out = 0;
};

// Ports of an endpoint that is there; all of it is done, or nothing.
struct Publication {
  std::string network;  // "": the workload's only one
  std::string workload;
  std::vector<model::PublishedPort> add;
  std::vector<model::PublishedPort> remove;
};

struct EndpointPorts {
  std::string workload_name;
  std::string network_name;
  IpAddr address;  // of the endpoint
  std::vector<model::PublishedPort> published;
};

struct RunDraft {
  std::string name;  // "": made up
  std::vector<std::string> command;
  std::map<std::string, std::string> environment;
  std::string directory;  // "": /
  model::RestartPolicy restart = model::RestartPolicy::no;
  std::vector<Attachment> networks;
  model::Labels labels;
};

struct Started {
  model::Workload workload;
  std::vector<model::Endpoint> endpoints;
};

struct Backend {
  model::Endpoint endpoint;
  std::string node_name;
  bool reachable = false;
};

struct ServiceDetails {
  model::Service service;
  std::string network_name;
  std::vector<Backend> backends;
};

struct SwarmInit {
  std::string advertise_address;   // "": the only global address of the host
  std::uint16_t api_port = 0;      // 0: the default
  std::string data_address;        // "": advertise_address
  std::uint16_t vxlan_port = 0;    // 0: 4789 or the next free one
  std::string pool;                // "": the default
  bool force_new_cluster = false;  // on a manager whose swarm lost its quorum
};

struct SwarmStarted {
  model::Node node;
  std::string join_command;  // for a worker, to paste
};

struct SwarmJoin {
  std::string token;
  std::string manager;  // HOST:PORT
  std::string advertise_address;
  std::uint16_t api_port = 0;
  std::string data_address;
};

struct TokenRequest {
  model::NodeRole role = model::NodeRole::worker;
  bool rotate = false;
  std::optional<std::chrono::seconds> ttl;  // with rotate
};

struct JoinToken {
  std::string token;
  std::string join_command;
};

struct NodeEntry {
  model::Node node;
  bool self = false;
  bool reachable = false;      // by this node's probes along the data path
  std::string manager_status;  // leader, reachable, unreachable; "": a worker
};

struct ServiceDraft {
  std::string name;
  std::string network;
  std::vector<model::ServicePort> ports;
  bool vip = true;
  model::Labels labels;
};

struct ServiceChange {
  std::string service;
  model::Labels labels;
  std::vector<std::string> removed_labels;
};

// What is absent stays as it is.
struct NodeChange {
  std::string node;
  std::optional<model::Availability> availability;
  model::Labels labels;
  std::vector<std::string> removed_labels;
};

struct NodeEndpoint {
  model::Endpoint endpoint;
  std::string network_name;
};

struct SidecarStatus {
  model::Workload workload;
  std::string state;  // starting, ready, failed
  std::int64_t pid = 0;
  std::string metrics;
  std::vector<std::uint16_t> inbound_ports;
};

struct LoadBalancerDraft {
  std::string name;
  std::string network;
  std::vector<model::LbListener> listeners;
  std::vector<model::TargetGroup> target_groups;
};

struct LoadBalancerStatus {
  model::LoadBalancer load_balancer;
  std::string state;  // starting, ready, failed
  std::int64_t pid = 0;
  std::string metrics;
  std::string network_name;
};

struct Verified {
  std::vector<std::string> differences;  // a sentence each
  std::vector<std::string> repaired;     // with Repair::yes
  std::vector<std::string> notes;        // of the host, which may be meant so: no difference
};

struct Capability {
  std::string name;
  bool present = false;
  std::string lost;  // what does not work without it
};

struct Drop {
  std::string reason;
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

struct Dns {
  struct Upstream {
    std::string address;
    bool up = false;
  };
  struct Counter {
    std::string name;
    std::uint64_t value = 0;
  };
  std::string host_resolver;
  std::vector<Upstream> upstreams;
  std::vector<Counter> counters;
};

struct SystemInfo {
  std::string version;
  std::string node_name;
  std::string kernel;
  std::string state_dir;
  std::string run_dir;
  std::string cgroup;
  std::string swarm;  // inactive, worker, manager
  std::vector<Capability> capabilities;
  std::vector<Drop> drops;
  std::uint32_t networks = 0;
  std::uint32_t endpoints = 0;
  std::uint32_t workloads = 0;
  std::vector<std::string> notes;  // as of Verified
  Dns dns;
};

}  // namespace heddle::client
