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
// ids or unique id prefixes; a workload may also be `netns:PATH` or `pid:N`.
namespace heddle::client {

struct NetworkDraft {
  std::string name;
  std::string driver;                 // "": bridge
  std::vector<std::string> subnets;   // none: chosen from the pools
  std::vector<std::string> gateways;  // beside the subnets, may be fewer
  bool internal = false;
  std::map<std::string, std::string> options;
  model::Labels labels;
};

struct NetworkDetails {
  model::Network network;
  std::vector<model::Endpoint> endpoints;
  std::string device;  // on this node; "" while none is needed
};

struct Attachment {
  std::string network;
  std::string workload;   // unused within RunDraft
  std::string address;    // "": chosen
  std::string interface;  // "": eth0, eth1 ...
  std::vector<std::string> aliases;
  std::string service;
  std::vector<model::ServicePort> ports;
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
  std::string advertise_address;  // "": the only global address of the host
  std::uint16_t api_port = 0;     // 0: the default
  std::string data_address;       // "": advertise_address
  std::uint16_t vxlan_port = 0;   // 0: 4789 or the next free one
  std::string pool;               // "": the default
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
  bool reachable = false;  // by this node's probes along the data path
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
};

}  // namespace heddle::client
