#include "netd/control/view_builder.h"

namespace heddle::control {

model::View build_view(const Objects& own, const std::optional<cluster::SwarmState>& swarm,
                       const std::set<model::Id>& unreachable) {
  model::View view;
  view.networks = own.networks();
  view.workloads = own.workloads();
  view.services = own.services();
  view.sidecars = own.sidecars();
  view.load_balancers = own.load_balancers();
  view.unreachable = unreachable;
  if (swarm) {
    view.swarm = swarm->swarm;
    view.self = swarm->self;
    view.blocks = swarm->blocks;
    for (const auto& node : swarm->nodes) view.nodes.emplace(node.id, node);
    for (const auto& network : swarm->networks) view.networks.emplace(network.id, network);
    for (const auto& service : swarm->services) view.services.emplace(service.id, service);
    for (const auto& endpoint : swarm->endpoints) {
      if (endpoint.node == swarm->self || !view.networks.contains(endpoint.network)) continue;
      view.endpoints.emplace(endpoint.id, endpoint);
    }
  }
  for (const auto& [id, endpoint] : own.endpoints()) {
    if (!view.networks.contains(endpoint.network)) continue;
    auto& placed = view.endpoints.emplace(id, endpoint).first->second;
    placed.node = view.self;
  }
  return view;
}

std::vector<model::Endpoint> reported_endpoints(const model::View& view) {
  std::vector<model::Endpoint> reported;
  for (const auto& [id, endpoint] : view.endpoints) {
    if (!view.is_local(endpoint)) continue;
    const auto network = view.networks.find(endpoint.network);
    if (network != view.networks.end() && network->second.scope == model::Scope::swarm) {
      reported.push_back(endpoint);
    }
  }
  return reported;
}

}  // namespace heddle::control
