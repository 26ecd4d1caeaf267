#pragma once
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "netd/driver/driver.h"
#include "netd/model/view.h"

namespace heddle::reconcile {

// What of a View is planned, when not all of it.
struct Scope {
  std::set<model::Id> endpoints;  // these
  std::set<model::Id> workloads;  // all endpoints of these; of no sandbox only some
  std::set<model::Id> networks;   // all endpoints of these
  std::set<std::pair<model::Id, std::string>> services;  // network, name: their entries
};

// A View sorted for planning: who is here, which networks are present, which endpoint gives each
// sandbox its way out. Borrows the View.
class Survey final {
 public:
  // `scope`: null for everything; borrowed.
  Survey(const model::View& view, const driver::NodeFacts& facts, const Scope* scope = nullptr);

  // An endpoint of a workload of this node.
  static bool is_here(const model::View& view, const model::Endpoint& endpoint);

  // Present networks that have endpoints in the scope, by id.
  const std::map<model::Id, driver::Site>& sites() const { return sites_; }
  // Whether the network has an endpoint here whose sandbox exists, in the scope or not.
  bool present(const model::Id& network) const;

  // Usable endpoints of a present network that name the service, which is in the scope.
  const std::vector<const model::Endpoint*>& backends(const model::Id& network,
                                                      const std::string& service) const;

  // Sandboxes that exist and have endpoints in the scope: networks joined, by sandbox path.
  const std::map<std::string, std::set<model::Id>>& sandboxes() const { return sandboxes_; }

 private:
  enum class Part { none, backend, whole };
  Part part_of_scope(const model::Endpoint& endpoint) const;
  void add_local(const model::Endpoint& endpoint);
  void add_remote(const model::Endpoint& endpoint);
  void consider_backend(const model::Endpoint& endpoint);
  void choose_default_routes();

  const model::View& view_;
  const driver::NodeFacts& facts_;
  const Scope* scope_;
  mutable std::map<model::Id, bool> present_;  // as far as it was asked, with a scope
  std::map<model::Id, driver::Site> sites_;
  std::map<std::string, std::set<model::Id>> sandboxes_;
  std::map<std::pair<model::Id, std::string>, std::vector<const model::Endpoint*>> backends_;
};

// The sandbox of a local workload, when the workload can be planned; else null.
const model::Workload* plannable(const model::View& view, const driver::NodeFacts& facts,
                                 const model::Id& workload);

}  // namespace heddle::reconcile
