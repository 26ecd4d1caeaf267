// Services: as their backends make them, with the first, gone with the last; or declared.
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

Result<> check_ports(const std::vector<model::ServicePort>& ports) {
  std::set<std::pair<std::uint16_t, model::Protocol>> seen;
  for (const auto& port : ports) {
    if (port.port == 0 || !seen.emplace(port.port, port.protocol).second) {
      return fail(Errc::invalid, "port " + std::to_string(port.port) +
                                     " is given twice, or is not from 1 to 65535");
    }
  }
  return {};
}

Result<> check_takes_backends(const model::View& view) {
  const auto self = view.nodes.find(view.self);
  if (self == view.nodes.end() || self->second.availability == model::Availability::active) {
    return {};
  }
  const bool drained = self->second.availability == model::Availability::drain;
  return fail(Errc::conflict, std::string("this node is ") +
                                  (drained ? "being drained" : "paused") +
                                  ": it takes no new backends; `heddle node update --availability "
                                  "active " +
                                  self->second.name + "` on a manager lets it again");
}

}  // namespace

Result<> Control::check_service(ConnectSpec& spec, const model::Network& network) {
  if (spec.service.empty()) {
    if (spec.ports.empty()) return {};
    return fail(Errc::invalid, "--port needs --service: ports belong to a service");
  }
  TRY_DO(model::check_name("service name", spec.service));
  const auto current = view();
  TRY_DO(check_takes_backends(*current));
  const auto found = std::ranges::find_if(current->services, [&](const auto& entry) {
    return entry.second.network == network.id && entry.second.name == spec.service;
  });
  const model::Service* service = found == current->services.end() ? nullptr : &(*found).second;
  if (spec.ports.empty() && service != nullptr && service->declared) spec.ports = service->ports;
  if (spec.ports.empty()) {
    return fail(Errc::invalid, "service '" + spec.service + "' needs a port: --port 8080");
  }
  TRY_DO(check_ports(spec.ports));
  if (service != nullptr && service->ports != spec.ports) {
    return fail(Errc::conflict,
                "service '" + spec.service + "' has ports " + describe_ports(service->ports) +
                    ", not " + describe_ports(spec.ports) + "; all its backends have the same");
  }
  return {};
}

Result<model::Service> Control::create_service(ServiceSpec spec, Deadline deadline) {
  TRY_DO(model::check_name("service name", spec.name));
  if (spec.ports.empty()) {
    return fail(Errc::invalid, "service '" + spec.name + "' needs a port: --port 8080");
  }
  TRY_DO(check_ports(spec.ports));
  const auto current = view();
  TRY(const model::Network* found, model::find_network(*current, spec.network));
  const driver::Driver* driver = parts_.drivers->find(found->driver);
  if (found->config_only || driver == nullptr || !driver->has_subnets()) {
    return fail(Errc::unsupported, "network '" + found->name + "' has no addresses for services");
  }
  model::Service service;
  service.name = spec.name;
  service.network = found->id;
  service.ports = std::move(spec.ports);
  service.labels = std::move(spec.labels);
  if (found->scope == model::Scope::swarm) {
    return parts_.cluster->create_service(std::move(service), spec.vip, deadline);
  }
  return executor_.call([&] { return declare_local(std::move(service), spec.vip); });
}

Result<model::Service> Control::declare_local(model::Service service, cluster::Cluster::Vip vip) {
  const auto network = objects_->networks().find(service.network);
  if (network == objects_->networks().end()) {
    return fail(Errc::not_found, "the network was removed meanwhile");
  }
  for (const auto& [id, other] : objects_->services()) {
    if (other.network != service.network || other.name != service.name) continue;
    return fail(Errc::exists, "network '" + network->second.name + "' has a service '" +
                                  service.name + "' already");
  }
  service.id = new_id();
  service.declared = true;
  service.created = now();
  ipam::Lease lease(pools_of(network->second));
  const bool wanted = vip == cluster::Cluster::Vip::yes;
  if (wanted && pools_of(network->second).has(ipam::Family::v4)) {
    TRY(service.vip, lease.take(ipam::Family::v4, "service " + service.name, parts_.clock->steady())
                         .during("address of service " + service.name));
  }
  Objects::Batch batch;
  batch.put(service);
  TRY_DO(objects_->commit(std::move(batch)));
  lease.keep();
  refresh();
  return service;
}

Result<model::Service> Control::update_service(std::string reference,
                                               cluster::Cluster::ServiceChange change,
                                               Deadline deadline) {
  const auto current = view();
  TRY(const model::Service* found, model::find_service(*current, reference));
  const model::Id id = found->id;
  TRY(const bool local,
      executor_.call([&]() -> Result<bool> { return objects_->services().contains(id); }));
  if (!local) return parts_.cluster->update_service(id, std::move(change), deadline);
  return executor_.call([&]() -> Result<model::Service> {
    const auto known = objects_->services().find(id);
    if (known == objects_->services().end()) return fail(Errc::not_found, "it is gone");
    model::Service service = known->second;
    for (const std::string& key : change.removed_labels) service.labels.erase(key);
    for (const auto& [key, value] : change.labels) service.labels[key] = value;
    Objects::Batch batch;
    batch.put(service);
    TRY_DO(objects_->commit(std::move(batch)));
    refresh();
    return service;
  });
}

Result<> Control::remove_service(std::string reference, Deadline deadline) {
  const auto current = view();
  TRY(const model::Service* found, model::find_service(*current, reference));
  const model::Id id = found->id;
  TRY(const bool local, executor_.call([&]() -> Result<bool> {
    const auto known = objects_->services().find(id);
    if (known == objects_->services().end()) return false;
    TRY_DO(withdraw_local(model::Service(known->second)));
    return true;
  }));
  return local ? Result<>() : parts_.cluster->remove_service(id, deadline);
}

Result<> Control::withdraw_local(const model::Service& service) {
  for (const auto& [id, endpoint] : objects_->endpoints()) {
    if (endpoint.network != service.network || endpoint.service != service.name) continue;
    return fail(Errc::in_use, "service '" + service.name + "' has backends, such as " +
                                  endpoint.workload_name + "; disconnect or remove them first");
  }
  Objects::Batch batch;
  std::vector<Held> held;
  batch.remove_service(service.id);
  if (!service.vip.is_unspecified()) {
    held.push_back({service.network, service.vip});
    rest_address(held.back(), batch);
  }
  TRY_DO(objects_->commit(std::move(batch)));
  give_up_addresses(held);
  refresh();
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
