#include "netd/reconcile/survey.h"

#include <tuple>

namespace heddle::reconcile {

bool Survey::is_here(const model::View& view, const model::Endpoint& endpoint) {
  // Endpoints of local networks that are older than the node's membership carry no node.
  return endpoint.node.empty() || view.is_local(endpoint);
}

const model::Workload* plannable(const model::View& view, const driver::NodeFacts& facts,
                                 const model::Id& workload) {
  const auto found = view.workloads.find(workload);
  if (found == view.workloads.end()) return nullptr;
  const model::Workload& it = found->second;
  if (it.state == model::WorkloadState::gone || it.sandbox.empty()) return nullptr;
  return facts.missing_sandboxes.contains(it.sandbox) ? nullptr : &it;
}

Survey::Survey(const model::View& view, const driver::NodeFacts& facts) {
  for (const auto& [id, endpoint] : view.endpoints) {
    if (endpoint.state == model::EndpointState::gone || !is_here(view, endpoint)) continue;
    const model::Workload* workload = plannable(view, facts, endpoint.workload);
    const auto network = view.networks.find(endpoint.network);
    if (workload == nullptr || network == view.networks.end()) continue;
    auto site = sites_.try_emplace(endpoint.network, driver::Site{network->second, view, {}, {}});
    site.first->second.local.push_back({&endpoint, workload, false});
    sandboxes_[workload->sandbox].insert(endpoint.network);
  }
  for (const auto& [id, endpoint] : view.endpoints) {
    if (endpoint.state == model::EndpointState::gone || is_here(view, endpoint)) continue;
    const auto site = sites_.find(endpoint.network);
    if (site != sites_.end()) site->second.remote.push_back(&endpoint);
  }
  sort_backends();
  choose_default_routes();
}

void Survey::sort_backends() {
  for (const auto& [id, site] : sites_) {
    const auto consider = [&](const model::Endpoint& endpoint) {
      if (endpoint.service.empty() || !site.view.usable(endpoint)) return;
      backends_[{id, endpoint.service}].push_back(&endpoint);
    };
    for (const driver::LocalEndpoint& local : site.local) consider(*local.endpoint);
    for (const model::Endpoint* remote : site.remote) consider(*remote);
  }
}

const std::vector<const model::Endpoint*>& Survey::backends(const model::Id& network,
                                                            const std::string& service) const {
  static const std::vector<const model::Endpoint*> kNone;
  const auto found = backends_.find({network, service});
  return found == backends_.end() ? kNone : found->second;
}

const driver::Site* Survey::site(const model::Id& network) const {
  const auto found = sites_.find(network);
  return found == sites_.end() ? nullptr : &found->second;
}

// The network that was connected first gives the way out, unless it is internal. `created` counts
// seconds: among those of one second eth0 was before eth1.
void Survey::choose_default_routes() {
  const auto order = [](const driver::LocalEndpoint& local) {
    const model::Endpoint& it = *local.endpoint;
    return std::tuple(it.created, it.interface.size(), it.interface, it.id);
  };
  std::map<std::string, driver::LocalEndpoint*> chosen;
  for (auto& [id, site] : sites_) {
    if (site.network.internal) continue;
    for (driver::LocalEndpoint& local : site.local) {
      driver::LocalEndpoint*& first = chosen[local.workload->sandbox];
      if (first == nullptr || order(local) < order(*first)) first = &local;
    }
  }
  for (const auto& [sandbox, local] : chosen) local->default_route = true;
}

}  // namespace heddle::reconcile
