#pragma once
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "netd/model/objects.h"
#include "netd/model/table.h"
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

// This node's own objects, in memory and in the local store: a change is in both or in neither. It
// outlives a power cut, unless all it says is of sandboxes that a power cut ends as well:
// namespaces and processes of others (WorkloadKind netns and pid), their endpoints and sidecars,
// and services that only endpoints made. Threads: the control executor's. Errors:  those of the
// store.
class Objects {
 public:
  // Reads everything; an object that does not decode is an error that names it: state is never
  // dropped silently.
  static Result<Objects> load(store::Store& store);

  const model::Table<model::Network>& networks() const { return networks_; }
  const model::Table<model::Workload>& workloads() const { return workloads_; }
  const model::Table<model::Endpoint>& endpoints() const { return endpoints_; }
  const model::Table<model::Service>& services() const { return services_; }
  const model::Table<model::Sidecar>& sidecars() const { return sidecars_; }
  const model::Table<model::LoadBalancer>& load_balancers() const { return load_balancers_; }
  // Copies, in the order of their ids.
  std::vector<model::Endpoint> endpoints_of(const model::Id& workload) const;
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
    // Whether an edit is of what outlives the machine; asked before the commit.
    std::vector<std::function<bool(const Objects&)>> lasting_;
  };
  Result<> commit(Batch batch);

 private:
  explicit Objects(store::Store& store) : store_(&store) {}
  template <class T>
  static void place(model::Table<T>& objects, const model::Id& id, T value) {
    objects.insert_or_assign(id, std::move(value));
  }
  void place(model::Table<model::Endpoint>& endpoints, const model::Id& id, model::Endpoint value);
  template <class T>
  static void remove(model::Table<T>& objects, const model::Id& id) {
    objects.erase(id);
  }
  void remove(model::Table<model::Endpoint>& endpoints, const model::Id& id);
  bool is_lasting(const Batch& batch) const;
  bool lasts(const model::Workload& workload) const;
  bool lasts(const model::Endpoint& endpoint) const;
  bool lasts(const model::Service& service) const { return service.declared; }
  bool lasts(const model::Sidecar& sidecar) const;
  bool lasts(const model::Network&) const { return true; }
  bool lasts(const model::LoadBalancer&) const { return true; }
  template <class T>
  bool lasts(const model::Table<T>& objects, const model::Id& id) const {
    const auto found = objects.find(id);
    return found != objects.end() && lasts(found->second);
  }
  store::Store* store_;
  model::Table<model::Network> networks_;
  model::Table<model::Workload> workloads_;
  model::Table<model::Endpoint> endpoints_;
  model::Table<model::Service> services_;
  model::Table<model::Sidecar> sidecars_;
  model::Table<model::LoadBalancer> load_balancers_;
  std::map<std::string, ReleasedAddress> released_;
  std::set<std::pair<model::Id, model::Id>> by_workload_;  // workloads with their endpoints
};

}  // namespace heddle::control
