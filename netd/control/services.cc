// Services as their backends make them: with the first, gone with the last.
#include <algorithm>
#include <set>

#include "netd/control/control.h"

namespace heddle::control {
namespace {

std::string describe_ports(const std::vector<model::ServicePort>& ports) {
  std::string text;
  for (const auto& port : ports) {
    text += (text.empty() ? "" : ", ") + std::to_string(port.port) +
            (port.protocol == model::Protocol::udp ? "/udp" : "/tcp");
  }
  return text;
}

}  // namespace

Result<> Control::check_service(const ConnectSpec& spec, const model::Network& network) {
  if (spec.service.empty()) {
    if (spec.ports.empty()) return {};
    return fail(Errc::invalid, "--port needs --service: ports belong to a service");
  }
  TRY_DO(model::check_name("service name", spec.service));
  if (spec.ports.empty()) {
    return fail(Errc::invalid, "service '" + spec.service + "' needs a port: --port 8080");
  }
  std::set<std::pair<std::uint16_t, model::Protocol>> seen;
  for (const auto& port : spec.ports) {
    if (port.port == 0 || !seen.emplace(port.port, port.protocol).second) {
      return fail(Errc::invalid, "port " + std::to_string(port.port) +
                                     " is given twice, or is not from 1 to 65535");
    }
  }
  const auto current = view();
  for (const auto& [id, service] : current->services) {
    if (service.network != network.id || service.name != spec.service) continue;
    if (service.ports != spec.ports) {
      return fail(Errc::conflict,
                  "service '" + spec.service + "' has ports " + describe_ports(service.ports) +
                      ", not " + describe_ports(spec.ports) + "; all its backends have the same");
    }
  }
  return {};
}

Result<std::optional<model::Id>> Control::join_local_service(const model::Endpoint& endpoint,
                                                             ipam::Lease& lease,
                                                             Objects::Batch& batch) {
  const auto network = objects_->networks().find(endpoint.network);
  if (endpoint.service.empty() || network == objects_->networks().end()) return std::nullopt;
  for (const auto& [id, service] : objects_->services()) {
    if (service.network == endpoint.network && service.name == endpoint.service) {
      return std::nullopt;
    }
  }
  model::Service service;
  service.id = new_id();
  service.name = endpoint.service;
  service.network = endpoint.network;
  // VIPs are IPv4. Without one the service's name leads to its backends.
  if (pools_of(network->second).has(ipam::Family::v4)) {
    TRY(service.vip, lease.take(ipam::Family::v4, "service " + service.name, parts_.clock->steady())
                         .during("address of service " + service.name));
  }
  service.ports = endpoint.ports;
  service.created = now();
  const model::Id id = service.id;
  batch.put(std::move(service));
  return id;
}

void Control::leave_local_service(const model::Endpoint& endpoint, Objects::Batch& batch,
                                  std::vector<Held>& held) {
  if (endpoint.service.empty()) return;
  for (const auto& [id, other] : objects_->endpoints()) {
    if (id != endpoint.id && other.network == endpoint.network &&
        other.service == endpoint.service) {
      return;
    }
  }
  for (const auto& [id, service] : objects_->services()) {
    if (service.network != endpoint.network || service.name != endpoint.service ||
        service.declared) {
      continue;
    }
    batch.remove_service(id);
    if (service.vip.is_unspecified()) continue;
    held.push_back({service.network, service.vip});
    rest_address(held.back(), batch);
  }
}

}  // namespace heddle::control
