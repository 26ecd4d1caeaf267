#include "netd/reconcile/survey.h"

#include <algorithm>
#include <string_view>
#include <tuple>

#include "netd/driver/options.h"

namespace heddle::reconcile {
namespace {

// Whether what is sent to elsewhere from the address gets anywhere: to a gateway, or out of an
// ipvlan's parent, which asks for none.
bool leads_out(const model::Network& network, const IpAddr& address) {
  const model::Subnet* subnet = driver::subnet_of(network, address);
  return subnet != nullptr && (!subnet->gateway.is_unspecified() || network.driver == "ipvlan");
}

// Whether the engine of a container gave it a way out of that family, and nobody asked for ours.
bool routed_already(const driver::LocalEndpoint& local, const IpAddr& address) {
  if (local.endpoint->gateway_priority > 0) return false;
  return address.is_v4() ? local.workload->routed : local.workload->routed6;
}

bool before(const driver::LocalEndpoint& a, const driver::LocalEndpoint& b) {
  const model::Endpoint& x = *a.endpoint;
  const model::Endpoint& y = *b.endpoint;
  if (x.gateway_priority != y.gateway_priority) return x.gateway_priority > y.gateway_priority;
  // Times are whole seconds; of those of one second the lower interface came first.
  return std::tuple(x.created, x.interface.size(), std::string_view(x.interface), x.id) <
         std::tuple(y.created, y.interface.size(), std::string_view(y.interface), y.id);
}

}  // namespace

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

Survey::Survey(const model::View& view, const driver::NodeFacts& facts)
    : view_(view), facts_(facts), index_(nullptr), scope_(nullptr) {
  sort({});
}

Survey::Survey(const model::View& view, const driver::NodeFacts& facts, const model::Index& index,
               const Scope& scope)
    : view_(view), facts_(facts), index_(&index), scope_(&scope) {
  sort(parts_of_scope());
}

Survey::Parts Survey::parts_of_scope() const {
  Parts parts;
  for (const auto& [network, service] : scope_->services) {
    index_->backends_of(network, service, [&](const model::Id& id) { parts[id] = Part::backend; });
  }
  const auto whole = [&](const model::Id& id) { parts[id] = Part::whole; };
  for (const model::Id& id : scope_->endpoints) whole(id);
  for (const model::Id& id : scope_->workloads) index_->endpoints_of(id, whole);
  for (const model::Id& id : scope_->networks) index_->endpoints_in(id, whole);
  return parts;
}

template <class Found>
void Survey::each_planned(const Parts& parts, Found found) const {
  if (scope_ == nullptr) {
    for (const auto& [id, endpoint] : view_.endpoints) found(endpoint, Part::whole);
    return;
  }
  for (const auto& [id, part] : parts) {
    const auto endpoint = view_.endpoints.find(id);
    if (endpoint != view_.endpoints.end()) found(endpoint->second, part);
  }
}

// Remote ones are planned where local ones make their network present.
void Survey::sort(const Parts& parts) {
  each_planned(parts, [&](const model::Endpoint& endpoint, Part part) {
    if (endpoint.state != model::EndpointState::gone && is_here(view_, endpoint)) {
      add_local(endpoint, part);
    }
  });
  each_planned(parts, [&](const model::Endpoint& endpoint, Part part) {
    if (endpoint.state != model::EndpointState::gone && !is_here(view_, endpoint)) {
      add_remote(endpoint, part);
    }
  });
  choose_default_routes();
}

void Survey::add_local(const model::Endpoint& endpoint, Part part) {
  const model::Workload* workload = plannable(view_, facts_, endpoint.workload);
  const auto network = view_.networks.find(endpoint.network);
  if (workload == nullptr || network == view_.networks.end()) return;
  consider_backend(endpoint);
  if (part == Part::backend) return;
  auto site = sites_.try_emplace(endpoint.network, driver::Site{network->second, view_, {}, {}});
  site.first->second.local.push_back({&endpoint, workload, false});
  sandboxes_[workload->sandbox].insert(endpoint.network);
}

void Survey::add_remote(const model::Endpoint& endpoint, Part part) {
  if (!present(endpoint.network)) return;
  consider_backend(endpoint);
  if (part == Part::backend) return;
  auto site = sites_.try_emplace(endpoint.network,
                                 driver::Site{view_.networks.at(endpoint.network), view_, {}, {}});
  site.first->second.remote.push_back(&endpoint);
}

void Survey::consider_backend(const model::Endpoint& endpoint) {
  const bool lives =
      endpoint.state != model::EndpointState::gone && !view_.unreachable.contains(endpoint.node);
  if (endpoint.service.empty() || !lives) return;
  backends_[{endpoint.network, endpoint.service}].push_back(&endpoint);
}

bool Survey::present(const model::Id& network) const {
  if (scope_ == nullptr || sites_.contains(network)) return sites_.contains(network);
  const auto [known, asked] = present_.try_emplace(network, false);
  if (!asked || !view_.networks.contains(network)) return known->second;
  index_->endpoints_in(network, [&](const model::Id& id) {
    const model::Endpoint& endpoint = view_.endpoints.at(id);
    known->second = endpoint.state != model::EndpointState::gone && is_here(view_, endpoint) &&
                    plannable(view_, facts_, endpoint.workload) != nullptr;
    return !known->second;
  });
  return known->second;
}

const std::vector<const model::Endpoint*>& Survey::backends(const model::Id& network,
                                                            const std::string& service) const {
  static const std::vector<const model::Endpoint*> kNone;
  const auto found = backends_.find({network, service});
  return found == backends_.end() ? kNone : found->second;
}

// Of each family, the endpoint with the highest priority gives its sandbox the way out; of equal
// ones the first connected. An internal network has none, nor has a subnet without a gateway.
void Survey::choose_default_routes() {
  std::map<std::string, driver::LocalEndpoint*> chosen4;
  std::map<std::string, driver::LocalEndpoint*> chosen6;
  for (auto& [id, site] : sites_) {
    if (site.network.internal) continue;
    for (driver::LocalEndpoint& local : site.local) {
      const auto consider = [&](const IpAddr& address) {
        if (!leads_out(site.network, address) || routed_already(local, address)) return;
        auto& chosen = address.is_v4() ? chosen4 : chosen6;
        driver::LocalEndpoint*& best = chosen[local.workload->sandbox];
        if (best == nullptr || before(local, *best)) best = &local;
      };
      consider(local.endpoint->address.address);
      if (local.endpoint->address6) consider(local.endpoint->address6->address);
    }
  }
  for (const auto& [sandbox, local] : chosen4) local->default_route = true;
  for (const auto& [sandbox, local] : chosen6) local->default_route6 = true;
}

}  // namespace heddle::reconcile
