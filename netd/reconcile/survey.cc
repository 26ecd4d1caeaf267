#include "netd/reconcile/survey.h"

#include <algorithm>
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

Survey::Survey(const model::View& view, const driver::NodeFacts& facts, const Scope* scope)
    : view_(view), facts_(facts), scope_(scope) {
  for (const auto& [id, endpoint] : view.endpoints) {
    if (endpoint.state != model::EndpointState::gone && is_here(view, endpoint)) {
      add_local(endpoint);
    }
  }
  for (const auto& [id, endpoint] : view.endpoints) {
    if (endpoint.state != model::EndpointState::gone && !is_here(view, endpoint)) {
      add_remote(endpoint);
    }
  }
  choose_default_routes();
}

Survey::Part Survey::part_of_scope(const model::Endpoint& endpoint) const {
  if (scope_ == nullptr || scope_->workloads.contains(endpoint.workload) ||
      scope_->networks.contains(endpoint.network) || scope_->endpoints.contains(endpoint.id)) {
    return Part::whole;
  }
  const bool backend = !endpoint.service.empty() && !scope_->services.empty() &&
                       scope_->services.contains({endpoint.network, endpoint.service});
  return backend ? Part::backend : Part::none;
}

void Survey::add_local(const model::Endpoint& endpoint) {
  const Part part = part_of_scope(endpoint);
  if (part == Part::none) return;
  const model::Workload* workload = plannable(view_, facts_, endpoint.workload);
  const auto network = view_.networks.find(endpoint.network);
  if (workload == nullptr || network == view_.networks.end()) return;
  consider_backend(endpoint);
  if (part == Part::backend) return;
  auto site = sites_.try_emplace(endpoint.network, driver::Site{network->second, view_, {}, {}});
  site.first->second.local.push_back({&endpoint, workload, false});
  sandboxes_[workload->sandbox].insert(endpoint.network);
}

void Survey::add_remote(const model::Endpoint& endpoint) {
  const Part part = part_of_scope(endpoint);
  if (part == Part::none || !present(endpoint.network)) return;
  consider_backend(endpoint);
  if (part == Part::backend) return;
  auto site = sites_.try_emplace(endpoint.network,
                                 driver::Site{view_.networks.at(endpoint.network), view_, {}, {}});
  site.first->second.remote.push_back(&endpoint);
}

void Survey::consider_backend(const model::Endpoint& endpoint) {
  if (endpoint.service.empty() || !view_.usable(endpoint)) return;
  backends_[{endpoint.network, endpoint.service}].push_back(&endpoint);
}

bool Survey::present(const model::Id& network) const {
  if (scope_ == nullptr || sites_.contains(network)) return sites_.contains(network);
  const auto [known, asked] = present_.try_emplace(network, false);
  if (!asked || !view_.networks.contains(network)) return known->second;
  known->second = std::ranges::any_of(view_.endpoints, [&](const auto& entry) {
    const model::Endpoint& endpoint = entry.second;
    return endpoint.network == network && endpoint.state != model::EndpointState::gone &&
           is_here(view_, endpoint) && plannable(view_, facts_, endpoint.workload) != nullptr;
  });
  return known->second;
}

const std::vector<const model::Endpoint*>& Survey::backends(const model::Id& network,
                                                            const std::string& service) const {
  static const std::vector<const model::Endpoint*> kNone;
  const auto found = backends_.find({network, service});
  return found == backends_.end() ? kNone : found->second;
}

// The network that was connected first gives the way out, unless it is internal.
void Survey::choose_default_routes() {
  const auto order = [](const driver::LocalEndpoint& local) {
    return std::tie(local.endpoint->created, local.endpoint->id);
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
