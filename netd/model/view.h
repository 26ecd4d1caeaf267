#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "netd/model/objects.h"
#include "netd/model/table.h"

namespace heddle::model {

// Which node assigns which parts of the swarm networks' subnets, by network. Copies share all of
// it, since it changes seldom.
class Blocks final {
 public:
  Blocks() = default;
  explicit Blocks(const std::vector<AddressBlock>& blocks);

  // Of all nodes; in one order, whatever theirs was.
  const std::vector<AddressBlock>& of(const Id& network) const;
  // Those of one node.
  std::vector<Prefix> of(const Id& network, const Id& node) const;
  void add(const AddressBlock& block);  // one that is there is fine
  // The networks of which the two do not have the same.
  std::set<Id> differences(const Blocks& other) const;

 private:
  using ByNetwork = std::map<Id, std::vector<AddressBlock>>;
  static const ByNetwork& none();
  const ByNetwork& all() const { return blocks_ ? *blocks_ : none(); }
  std::shared_ptr<const ByNetwork> blocks_;  // null: none
};

// All that one node knows, local and swarm-wide, at one moment: the input of every plan. A value;
// shared only as `shared_ptr<const View>`. Copies share the objects that they have in common.
struct View {
  std::optional<Swarm> swarm;
  Id self;                   // this node's id; "" outside a swarm
  std::map<Id, Node> nodes;  // of the swarm, this one too
  Table<Network> networks;
  Table<Workload> workloads;  // this node's
  Table<Endpoint> endpoints;  // this node's, and others' of networks present here
  Table<Service> services;
  Table<Sidecar> sidecars;  // by workload
  Table<LoadBalancer> load_balancers;
  Blocks blocks;
  // Nodes that do not answer probes along the data path now: their endpoints carry no new traffic.
  std::set<Id> unreachable;
  std::set<Id> drained;  // nodes of which people said so

  // An endpoint that new connections may go to.
  bool usable(const Endpoint& endpoint) const {
    return state_of(endpoint) == EndpointState::ready && !unreachable.contains(endpoint.node);
  }
  // Backends of a node that is being drained are draining, whatever they are by themselves.
  EndpointState state_of(const Endpoint& endpoint) const {
    const bool leaves = endpoint.state == EndpointState::ready && drained.contains(endpoint.node);
    return leaves ? EndpointState::draining : endpoint.state;
  }
  bool is_local(const Endpoint& endpoint) const { return endpoint.node == self; }
};

// What differs between two Views: ids of objects that came, went or changed.
struct ViewChange {
  std::set<Id> networks;
  std::set<Id> workloads;
  std::set<Id> endpoints;
  std::set<Id> services;
  std::set<Id> sidecars;
  std::set<Id> load_balancers;
  std::set<Id> blocks;  // networks whose blocks differ
  // The swarm itself, its nodes, or who of them answers: anything may follow from it.
  bool swarm = false;
};

// Costs what differs, and a walk over what the two do not share.
ViewChange compare(const View& before, const View& after);

// Finds by id, unique id prefix of at least 4 digits, or name; a workload also by `netns:PATH`,
// `pid:N`, `docker:NAME|ID` or `podman:NAME|ID`, of what is known already.
// Errors: `not_found` with the kind and the name; `conflict` when a prefix fits several.
Result<const Network*> find_network(const View& view, std::string_view ref);
Result<const Workload*> find_workload(const View& view, std::string_view ref);
Result<const Node*> find_node(const View& view, std::string_view ref);
Result<const LoadBalancer*> find_load_balancer(const View& view, std::string_view ref);
// `web` (when only one network has it) or `web.app`.
Result<const Service*> find_service(const View& view, std::string_view ref);

}  // namespace heddle::model
