#include "netd/mesh/catalog.h"

#include <algorithm>

#include "netd/mesh/plan.h"

namespace heddle::mesh {
namespace {

// A backend of a service declared by hand need not repeat its ports.
bool serves(const model::Endpoint& endpoint, std::uint16_t port) {
  return endpoint.ports.empty() ||
         std::ranges::any_of(endpoint.ports, [&](const model::ServicePort& own) {
           return own.port == port && own.protocol == model::Protocol::tcp;
         });
}

std::optional<TargetState> state_of(const model::View& view, const model::Endpoint& endpoint) {
  using model::EndpointState;
  const EndpointState state = view.state_of(endpoint);
  if (state != EndpointState::ready && state != EndpointState::draining) return std::nullopt;
  if (view.unreachable.contains(endpoint.node)) return TargetState::gone;
  return state == EndpointState::ready ? TargetState::ready : TargetState::draining;
}

}  // namespace

Catalog::Catalog(std::shared_ptr<const model::View> view) : view_(std::move(view)) {
  for (const auto& [id, service] : view_->services) {
    services_.emplace(ServiceKey(service.network, service.name), &service);
    if (!service.vip.is_unspecified())
      vips_.emplace(std::pair(service.network, service.vip), &service);
  }
  for (const auto& [id, endpoint] : view_->endpoints) {
    if (endpoint.service.empty()) continue;
    backends_[{endpoint.network, endpoint.service}].push_back(&endpoint);
  }
}

const model::Service* Catalog::find(const GroupRef& ref) const {
  const auto it = services_.find({ref.network, ref.service});
  return it == services_.end() ? nullptr : it->second;
}

bool Catalog::has(const GroupRef& ref) const {
  return find(ref) != nullptr;
}

std::optional<GroupRef> Catalog::resolve(const std::set<model::Id>& networks,
                                         const SocketAddr& destination) const {
  const IpAddr address = destination.address.unmapped();
  for (const auto& network : networks) {
    const auto it = vips_.find({network, address});
    if (it != vips_.end()) return GroupRef{network, it->second->name, destination.port};
  }
  return std::nullopt;
}

std::string Catalog::service_of(const GroupRef& ref) const {
  const auto network = view_->networks.find(ref.network);
  return ref.service + "." +
         (network == view_->networks.end() ? ref.network : network->second.name);
}

std::string Catalog::name_of(const GroupRef& ref) const {
  return service_of(ref) + ":" + std::to_string(ref.port);
}

TargetGroup Catalog::group(const GroupRef& ref) const {
  TargetGroup group;
  group.name = name_of(ref);
  group.service = service_of(ref);
  if (const model::Service* service = find(ref)) {
    for (const auto& port : service->ports) {
      if (port.port == ref.port && port.protocol == model::Protocol::tcp)
        group.protocol = protocol_of(port.app);
    }
  }
  const auto backends = backends_.find({ref.network, ref.service});
  if (backends == backends_.end()) return group;
  for (const model::Endpoint* endpoint : backends->second) {
    const auto state = state_of(*view_, *endpoint);
    if (!state || !serves(*endpoint, ref.port)) continue;
    group.targets.push_back({endpoint->id,
                             {endpoint->address.address, ref.port},
                             endpoint->weight,
                             *state,
                             endpoint->node});
  }
  return group;
}

}  // namespace heddle::mesh
