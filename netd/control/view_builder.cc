#include "netd/control/view_builder.h"

namespace heddle::control {

namespace {

// Takes what the managers said, and shares it with the view before where that has the same.
template <class T>
void take_over(const std::vector<T>& said, const model::Table<T>& before, model::Table<T>& into) {
  for (const T& object : said) {
    const auto known = before.find(object.id);
    if (known != before.end() && known->second == object) {
      into.share(known);
    } else {
      into.emplace(object.id, object);
    }
  }
}

// This node's own endpoints; nearly always they are in the view as they are stored, and so were
// those that the view before has.
void place_own(const Objects& own, const model::View& before, model::View& view) {
  view.endpoints = own.endpoints();
  const auto place = [&](const model::Id& id, const model::Endpoint& endpoint) {
    if (!view.networks.contains(endpoint.network)) {
      view.endpoints.erase(id);
    } else if (endpoint.node != view.self) {
      view.endpoints.at(id).node = view.self;
    }
  };
  if (before.self != view.self || before.networks != view.networks) {
    for (const auto& [id, endpoint] : own.endpoints()) place(id, endpoint);
    return;
  }
  before.endpoints.differences(
      own.endpoints(), [&](const model::Id& id, const model::Endpoint*, const model::Endpoint* is) {
        if (is != nullptr) place(id, *is);
      });
}

}  // namespace

model::View build_view(const Objects& own, const std::optional<cluster::SwarmState>& swarm,
                       const std::set<model::Id>& unreachable, const model::View& before) {
  model::View view;
  view.networks = own.networks();
  view.workloads = own.workloads();
  view.services = own.services();
  view.sidecars = own.sidecars();
  view.load_balancers = own.load_balancers();
  view.unreachable = unreachable;
  if (!swarm) {
    place_own(own, before, view);
    return view;
  }
  view.swarm = swarm->swarm;
  view.self = swarm->self;
  view.blocks = swarm->blocks;
  for (const auto& node : swarm->nodes) {
    view.nodes.emplace(node.id, node);
    if (node.availability == model::Availability::drain) view.drained.insert(node.id);
  }
  take_over(swarm->networks, before.networks, view.networks);
  take_over(swarm->services, before.services, view.services);
  place_own(own, before, view);
  for (const auto& endpoint : swarm->endpoints) {
    if (endpoint.node == swarm->self || !view.networks.contains(endpoint.network)) continue;
    const auto known = before.endpoints.find(endpoint.id);
    if (known != before.endpoints.end() && known->second == endpoint) {
      view.endpoints.share(known);
    } else {
      view.endpoints.emplace(endpoint.id, endpoint);
    }
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
