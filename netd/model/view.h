#pragma once
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "netd/model/objects.h"

namespace heddle::model {

// All that one node knows, local and swarm-wide, at one moment: the input of every plan. A value;
// shared only as `shared_ptr<const View>`.
struct View {
  std::optional<Swarm> swarm;
  Id self;                   // this node's id; "" outside a swarm
  std::map<Id, Node> nodes;  // of the swarm, this one too
  std::map<Id, Network> networks;
  std::map<Id, Workload> workloads;  // this node's
  std::map<Id, Endpoint> endpoints;  // this node's, and others' of networks present here
  std::map<Id, Service> services;
  std::map<Id, Sidecar> sidecars;  // by workload
  std::map<Id, LoadBalancer> load_balancers;
  std::vector<AddressBlock> blocks;  // this node's
  // Nodes that do not answer probes along the data path now: their endpoints carry no new traffic.
  std::set<Id> unreachable;

  // An endpoint that new connections may go to.
  bool usable(const Endpoint& endpoint) const {
    return endpoint.state == EndpointState::ready && !unreachable.contains(endpoint.node);
  }
  bool is_local(const Endpoint& endpoint) const { return endpoint.node == self; }
};

// Finds by id, unique id prefix of at least 4 digits, or name.
// Errors: `not_found` with the kind and the name; `conflict` when a prefix fits several.
Result<const Network*> find_network(const View& view, std::string_view ref);
Result<const Workload*> find_workload(const View& view, std::string_view ref);
Result<const Node*> find_node(const View& view, std::string_view ref);
Result<const LoadBalancer*> find_load_balancer(const View& view, std::string_view ref);
// `web` (when only one network has it) or `web.app`.
Result<const Service*> find_service(const View& view, std::string_view ref);

}  // namespace heddle::model
