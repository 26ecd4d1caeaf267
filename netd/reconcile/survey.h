#pragma once
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "netd/driver/driver.h"
#include "netd/model/view.h"

namespace heddle::reconcile {

// A View sorted for planning: who is here, which networks are present, which endpoint gives each
// sandbox its way out. Borrows the View.
class Survey final {
 public:
  Survey(const model::View& view, const driver::NodeFacts& facts);

  // An endpoint of a workload of this node.
  static bool is_here(const model::View& view, const model::Endpoint& endpoint);

  // Present networks, by id.
  const std::map<model::Id, driver::Site>& sites() const { return sites_; }
  const driver::Site* site(const model::Id& network) const;

  // Usable endpoints of a present network that name the service.
  const std::vector<const model::Endpoint*>& backends(const model::Id& network,
                                                      const std::string& service) const;

  // Sandboxes that exist and have endpoints: networks joined, by sandbox path.
  const std::map<std::string, std::set<model::Id>>& sandboxes() const { return sandboxes_; }

 private:
  void sort_backends();
  void choose_default_routes();

  std::map<model::Id, driver::Site> sites_;
  std::map<std::string, std::set<model::Id>> sandboxes_;
  std::map<std::pair<model::Id, std::string>, std::vector<const model::Endpoint*>> backends_;
};

// The sandbox of a local workload, when the workload can be planned; else null.
const model::Workload* plannable(const model::View& view, const driver::NodeFacts& facts,
                                 const model::Id& workload);

}  // namespace heddle::reconcile
