#pragma once
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "netd/driver/driver.h"
#include "netd/model/index.h"
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
  // Everything.
  Survey(const model::View& view, const driver::NodeFacts& facts);
  // What is in the scope, at its cost. All borrowed; `index` is the view's.
  Survey(const model::View& view, const driver::NodeFacts& facts, const model::Index& index,
         const Scope& scope);

  // An endpoint of a workload of this node.
  static bool is_here(const model::View& view, const model::Endpoint& endpoint);

  // Present networks that have endpoints in the scope, by id.
  const std::map<model::Id, driver::Site>& sites() const { return sites_; }
  // Whether the network has an endpoint here whose sandbox exists, in the scope or not.
  bool present(const model::Id& network) const;

  const model::View& view() const { return view_; }

  // Endpoints of a present network that name the service, which is in the scope, and may still have
  // connections: those that are not gone, on nodes that answer.
  const std::vector<const model::Endpoint*>& backends(const model::Id& network,
                                                      const std::string& service) const;

  // Sandboxes that exist and have endpoints in the scope: networks joined, by sandbox path.
  const std::map<std::string, std::set<model::Id>>& sandboxes() const { return sandboxes_; }

 private:
  enum class Part { backend, whole };
  using Parts = std::map<model::Id, Part>;  // of endpoints
  Parts parts_of_scope() const;
  // Calls `found(endpoint, part)` for each that is planned.
  template <class Found>
  void each_planned(const Parts& parts, Found found) const;
  void sort(const Parts& parts);
  void add_local(const model::Endpoint& endpoint, Part part);
  void add_remote(const model::Endpoint& endpoint, Part part);
  void consider_backend(const model::Endpoint& endpoint);
  void choose_default_routes();

  const model::View& view_;
  const driver::NodeFacts& facts_;
  const model::Index* index_;                  // null: everything is planned
  const Scope* scope_;                         // null with it
  mutable std::map<model::Id, bool> present_;  // as far as it was asked, with a scope
  std::map<model::Id, driver::Site> sites_;
  std::map<std::string, std::set<model::Id>> sandboxes_;
  std::map<std::pair<model::Id, std::string>, std::vector<const model::Endpoint*>> backends_;
};

// The sandbox of a local workload, when the workload can be planned; else null.
const model::Workload* plannable(const model::View& view, const driver::NodeFacts& facts,
                                 const model::Id& workload);

}  // namespace heddle::reconcile
