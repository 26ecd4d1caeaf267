// Attaching workloads to networks and letting them go; the services that follow from it.
#include <algorithm>
#include <set>

#include "common/observe/log.h"
#include "netd/control/control.h"
#include "netd/ipam/mac.h"

namespace heddle::control {
namespace {

constexpr int kBlockAttempts = 3;

// An attachment's failure: what the kernel said of this very endpoint.
const Error* failure_of(const auto& failures, const model::Endpoint& endpoint,
                        const std::string& sandbox) {
  for (const auto& failure : failures) {
    const auto* ensure = std::get_if<dataplane::Ensure<dataplane::Attachment>>(&failure.operation);
    if (ensure != nullptr && ensure->object.sandbox == sandbox &&
        std::ranges::find(ensure->object.addresses, endpoint.address) !=
            ensure->object.addresses.end()) {
      return &failure.error;
    }
  }
  return nullptr;
}

Result<> check_interface(const std::string& name) {
  const bool ok = !name.empty() && name.size() <= kMaxIfName && name != "." && name != ".." &&
                  name != "lo" && std::ranges::all_of(name, [](unsigned char c) {
                    return std::isalnum(c) || c == '-' || c == '_' || c == '.';
                  });
  if (ok) return {};
  return fail(Errc::invalid, "interface name '" + name.substr(0, 40) +
                                 "' must be 1 to 15 of A-Z a-z 0-9 . _ - and not lo");
}

std::string describe_ports(const std::vector<model::ServicePort>& ports) {
  std::string text;
  for (const auto& port : ports) {
    text += (text.empty() ? "" : ", ") + std::to_string(port.port) +
            (port.protocol == model::Protocol::udp ? "/udp" : "/tcp");
  }
  return text;
}

}  // namespace

Result<model::Endpoint> Control::connect(ConnectSpec spec, Deadline deadline) {
  for (int attempt = 0; attempt < kBlockAttempts; ++attempt) {
    TRY(Attached attached, executor_.call([&] { return attach(spec); }));
    if (auto* endpoint = std::get_if<model::Endpoint>(&attached)) return std::move(*endpoint);
    const model::Id network = std::get<NeedsBlock>(attached).network;
    TRY(const model::AddressBlock block, parts_.cluster->claim_block(network, deadline));
    TRY_DO(executor_.call([&]() -> Result<> {
      if (!swarm_) return fail(Errc::conflict, "this node left its swarm meanwhile");
      if (std::ranges::find(swarm_->blocks, block) == swarm_->blocks.end()) {
        swarm_->blocks.push_back(block);
      }
      return {};
    }));
  }
  return fail(Errc::exhausted, "the addresses claimed for this node went to others; try again");
}

ipam::Pool& Control::pool_of(const model::Network& network) {
  const auto extent = network.scope == model::Scope::local ? ipam::Pool::Extent::subnet
                                                           : ipam::Pool::Extent::blocks;
  auto& pool = pools_.try_emplace(network.id, network.subnets.front(), extent).first->second;
  if (extent == ipam::Pool::Extent::blocks) {
    std::vector<Prefix> blocks;
    for (const auto& block : swarm_ ? swarm_->blocks : std::vector<model::AddressBlock>()) {
      if (block.network == network.id) blocks.push_back(block.prefix);
    }
    pool.set_blocks(std::move(blocks));
  }
  const auto current = view();
  for (const auto& [id, endpoint] : current->endpoints) {
    if (endpoint.network != network.id) continue;
    // Another node's endpoint outside our blocks is not ours to count; a clash shows when asked
    // for.
    (void)pool.claim(endpoint.address.address, endpoint.workload_name).has_value();
  }
  for (const auto& [id, service] : current->services) {
    if (service.network != network.id) continue;
    (void)pool.claim(service.vip, "service " + service.name).has_value();
  }
  return pool;
}

std::string Control::next_interface(const model::Id& workload) {
  std::set<std::string> taken;
  for (const auto& [id, endpoint] : objects_->endpoints()) {
    if (endpoint.workload == workload) taken.insert(endpoint.interface);
  }
  for (int i = 0;; ++i) {
    const std::string name = "eth" + std::to_string(i);
    if (!taken.contains(name)) return name;
  }
}

Result<> Control::check_connect(const ConnectSpec& spec, const model::Network& network,
                                const model::Workload& workload) {
  for (const auto& [id, endpoint] : objects_->endpoints()) {
    if (endpoint.workload != workload.id) continue;
    if (endpoint.network == network.id) {
      return fail(Errc::exists, "'" + workload.name + "' is connected to '" + network.name +
                                    "' already, as " + endpoint.address.address.format());
    }
    if (!spec.interface.empty() && endpoint.interface == spec.interface) {
      return fail(Errc::exists,
                  "'" + workload.name + "' has an interface '" + spec.interface + "' already");
    }
  }
  if (!spec.interface.empty()) TRY_DO(check_interface(spec.interface));
  for (const std::string& alias : spec.aliases) TRY_DO(model::check_name("alias", alias));
  return check_service(spec, network);
}

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

Result<Control::Attached> Control::attach(const ConnectSpec& spec) {
  const auto current = view();
  TRY(const model::Network* found, model::find_network(*current, spec.network));
  const model::Network network = *found;
  TRY(const model::Workload workload, adopt_workload(spec.workload));
  TRY_DO(check_connect(spec, network, workload));
  if (!parts_.kernel->sandbox_exists(workload.sandbox)) {
    return fail(Errc::not_found, "workload '" + workload.name + "' has no network namespace now (" +
                                     workload.sandbox + "); is it running?");
  }
  ipam::Pool& pool = pool_of(network);
  const auto steady = parts_.clock->steady();
  IpAddr address;
  if (spec.address) {
    if (auto taken = pool.allocate(*spec.address, workload.name, steady); !taken) {
      return std::unexpected(std::move(taken).error());
    }
    address = *spec.address;
  } else {
    auto chosen = pool.allocate(workload.name, steady);
    if (!chosen && chosen.error().code() == Errc::exhausted &&
        network.scope == model::Scope::swarm) {
      return NeedsBlock{network.id};
    }
    if (!chosen) return std::unexpected(std::move(chosen).error());
    address = *chosen;
  }
  model::Endpoint endpoint;
  endpoint.id = new_id();
  endpoint.network = network.id;
  endpoint.workload = workload.id;
  endpoint.workload_name = workload.name;
  endpoint.node = current->self;
  endpoint.address = {address, network.subnets.front().prefix.length()};
  endpoint.mac = ipam::mac_for(network.id, address);
  endpoint.interface = spec.interface.empty() ? next_interface(workload.id) : spec.interface;
  endpoint.aliases = spec.aliases;
  endpoint.service = spec.service;
  endpoint.ports = spec.ports;
  // A process that is not started yet serves nobody, whatever its ports are.
  const bool waits = Health::decides(endpoint) || (workload.kind == model::WorkloadKind::run &&
                                                   workload.pid == 0 && !endpoint.service.empty());
  endpoint.state = waits ? model::EndpointState::starting : model::EndpointState::ready;
  endpoint.created = now();
  auto committed = commit_endpoint(std::move(endpoint), workload);
  if (!committed) {
    pool.release(address, steady);
    return std::unexpected(std::move(committed).error());
  }
  return Attached(*std::move(committed));
}

// Stores the endpoint (and a workload that became known through it), then looks whether the kernel
// took it; if not, everything is as before.
Result<model::Endpoint> Control::commit_endpoint(model::Endpoint endpoint,
                                                 const model::Workload& workload) {
  const bool new_workload = !objects_->workloads().contains(workload.id);
  Objects::Batch batch;
  if (new_workload) batch.put(workload);
  batch.put(endpoint);
  TRY_DO(join_local_service(endpoint, batch));
  TRY_DO(objects_->commit(std::move(batch)));
  const auto failures = refresh();
  if (const Error* failed = failure_of(failures, endpoint, workload.sandbox)) {
    const Error reason = failed->during("connect " + workload.name);
    Objects::Batch undo;
    undo.remove_endpoint(endpoint.id);
    leave_local_service(endpoint, undo);
    if (new_workload) undo.remove_workload(workload.id);
    if (auto undone = objects_->commit(std::move(undo)); !undone) {
      log_error("store.failed", {{"error", undone.error()}});
    }
    refresh();
    return std::unexpected(reason);
  }
  return endpoint;
}

Result<> Control::join_local_service(const model::Endpoint& endpoint, Objects::Batch& batch) {
  const auto network = objects_->networks().find(endpoint.network);
  if (endpoint.service.empty() || network == objects_->networks().end()) return {};
  for (const auto& [id, service] : objects_->services()) {
    if (service.network == endpoint.network && service.name == endpoint.service) return {};
  }
  model::Service service;
  service.id = new_id();
  service.name = endpoint.service;
  service.network = endpoint.network;
  TRY(service.vip, pool_of(network->second)
                       .allocate("service " + service.name, parts_.clock->steady())
                       .during("address of service " + service.name));
  service.ports = endpoint.ports;
  service.created = now();
  batch.put(std::move(service));
  return {};
}

void Control::leave_local_service(const model::Endpoint& endpoint, Objects::Batch& batch) {
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
    if (const auto pool = pools_.find(service.network); pool != pools_.end()) {
      pool->second.release(service.vip, parts_.clock->steady());
    }
  }
}

Result<> Control::disconnect(std::string network_ref, std::string workload_ref, Deadline) {
  return executor_.call([&]() -> Result<> {
    const auto current = view();
    TRY(const model::Network* network, model::find_network(*current, network_ref));
    TRY(const model::Workload workload, adopt_workload(workload_ref));
    for (const auto& [id, endpoint] : objects_->endpoints()) {
      if (endpoint.workload == workload.id && endpoint.network == network->id) return detach(id);
    }
    return fail(Errc::not_found,
                "'" + workload.name + "' is not connected to '" + network->name + "'");
  });
}

Result<model::Endpoint> Control::publish(PublishSpec, Deadline) {
  return fail(Errc::unsupported, "ports cannot be published yet");
}

Result<> Control::detach(const model::Id& id) {
  const model::Endpoint endpoint = objects_->endpoints().at(id);
  const model::Workload workload = objects_->workloads().at(endpoint.workload);
  if (workload.kind == model::WorkloadKind::load_balancer) {
    return fail(Errc::in_use, "this endpoint belongs to load balancer '" + workload.name +
                                  "'; remove that: heddle lb rm " + workload.name);
  }
  Objects::Batch batch;
  batch.remove_endpoint(id);
  leave_local_service(endpoint, batch);
  // A workload known only through its attachments goes with the last of them.
  const auto attachments = std::ranges::count_if(objects_->endpoints(), [&](const auto& entry) {
    return entry.second.workload == workload.id;
  });
  if (attachments == 1 && workload.kind != model::WorkloadKind::run) {
    if (objects_->sidecars().contains(workload.id)) batch.remove_sidecar(workload.id);
    batch.remove_workload(workload.id);
  }
  TRY_DO(objects_->commit(std::move(batch)));
  if (const auto pool = pools_.find(endpoint.network); pool != pools_.end()) {
    pool->second.release(endpoint.address.address, parts_.clock->steady());
  }
  refresh();
  return {};
}

void Control::set_endpoint_state(const model::Id& id, model::EndpointState state) {
  model::Endpoint endpoint = objects_->endpoints().at(id);
  if (endpoint.state == state) return;
  endpoint.state = state;
  Objects::Batch batch;
  batch.put(std::move(endpoint));
  if (auto stored = objects_->commit(std::move(batch)); !stored) {
    log_error("store.failed", {{"error", stored.error()}});
  }
}

void Control::health_changed(const model::Id& id, bool healthy) {
  const auto found = objects_->endpoints().find(id);
  if (found == objects_->endpoints().end()) return;
  if (found->second.state == model::EndpointState::draining) return;
  log_info("endpoint.health", {{"endpoint", found->second.address.address.format()},
                               {"workload", found->second.workload_name},
                               {"healthy", healthy ? "yes" : "no"}});
  set_endpoint_state(id, healthy ? model::EndpointState::ready : model::EndpointState::starting);
  refresh();
}

// Whether any endpoint served somebody and is now known to leave.
bool Control::drain(const model::Id& workload) {
  bool any = false;
  for (const auto& [id, endpoint] : model::Table(objects_->endpoints())) {
    if (endpoint.workload != workload || endpoint.service.empty()) continue;
    any = any || endpoint.state == model::EndpointState::ready;
    set_endpoint_state(id, model::EndpointState::draining);
  }
  if (any) refresh();
  return any;
}

}  // namespace heddle::control
