#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "netd/model/objects.h"
#include "netd/store/store.h"

namespace heddle::control {

// An address of a network that nobody has any more, and that nobody gets before `until`: peers keep
// stale neighbours and connections. This node's alone: no plan reads it, no peer is told.
struct ReleasedAddress {
  model::Id network;
  IpAddr address;
  model::Time until{};
  friend bool operator==(const ReleasedAddress&, const ReleasedAddress&) = default;
};

// What it is stored as: one for each network and address.
std::string released_id(const model::Id& network, const IpAddr& address);

// This node's own objects, in memory and in the local store: a change is in both or in neither.
// Threads: the control executor's.
// Errors:  those of the store.
class Objects {
 public:
  // Reads everything; an object that does not decode is an error that names it: state is never
  // dropped silently.
  static Result<Objects> load(store::Store& store);

  const std::map<model::Id, model::Network>& networks() const { return networks_; }
  const std::map<model::Id, model::Workload>& workloads() const { return workloads_; }
  const std::map<model::Id, model::Endpoint>& endpoints() const { return endpoints_; }
  const std::map<model::Id, model::Service>& services() const { return services_; }
  const std::map<model::Id, model::Sidecar>& sidecars() const { return sidecars_; }
  const std::map<model::Id, model::LoadBalancer>& load_balancers() const { return load_balancers_; }
  // By released_id().
  const std::map<std::string, ReleasedAddress>& released() const { return released_; }

  // One transaction of puts and removals.
  class Batch {
   public:
    Batch& put(model::Network network);
    Batch& put(model::Workload workload);
    Batch& put(model::Endpoint endpoint);
    Batch& put(model::Service service);
    Batch& put(model::Sidecar sidecar);
    Batch& put(model::LoadBalancer load_balancer);
    Batch& put(ReleasedAddress address);
    Batch& remove_network(const model::Id& id);
    Batch& remove_workload(const model::Id& id);
    Batch& remove_endpoint(const model::Id& id);
    Batch& remove_service(const model::Id& id);
    Batch& remove_sidecar(const model::Id& id);
    Batch& remove_load_balancer(const model::Id& id);
    Batch& remove_released(const std::string& id);
    bool empty() const { return edits_.empty(); }

   private:
    friend class Objects;
    store::Transaction transaction_;
    std::vector<std::function<void(Objects&)>> edits_;  // run after the commit
  };
  Result<> commit(Batch batch);

 private:
  explicit Objects(store::Store& store) : store_(&store) {}
  store::Store* store_;
  std::map<model::Id, model::Network> networks_;
  std::map<model::Id, model::Workload> workloads_;
  std::map<model::Id, model::Endpoint> endpoints_;
  std::map<model::Id, model::Service> services_;
  std::map<model::Id, model::Sidecar> sidecars_;
  std::map<model::Id, model::LoadBalancer> load_balancers_;
  std::map<std::string, ReleasedAddress> released_;
};

}  // namespace heddle::control
