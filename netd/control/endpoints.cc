// Attaching workloads to networks and letting them go.
#include <algorithm>
#include <set>

#include "common/observe/log.h"
#include "netd/control/control.h"
#include "netd/control/endpoint_options.h"
#include "netd/reconcile/plan.h"

namespace heddle::control {
namespace {

constexpr int kBlockAttempts = 3;

// With what was asked for and is only chosen or looked up later.
model::Endpoint as_asked(const ConnectSpec& spec, model::Endpoint endpoint) {
  endpoint.published = spec.published;
  for (const IpAddr& address : spec.link_local) endpoint.link_local.push_back({address, 0});
  return endpoint;
}

Error no_sandbox(const model::Workload& workload) {
  return Error(Errc::not_found, "workload '" + workload.name + "' has no network namespace now (" +
                                    workload.sandbox + "); is it running?");
}

}  // namespace

Result<model::Endpoint> Control::connect(ConnectSpec spec, Deadline deadline) {
  TRY(const auto container, find_container(spec.workload, deadline));
  for (int attempt = 0; attempt < kBlockAttempts; ++attempt) {
    TRY(Attached attached, executor_.call([&] { return attach(spec, container); }));
    if (auto* endpoint = std::get_if<model::Endpoint>(&attached)) return std::move(*endpoint);
    const model::Id network = std::get<NeedsBlock>(attached).network;
    TRY(const model::AddressBlock block, parts_.cluster->claim_block(network, deadline));
    TRY_DO(executor_.call([&]() -> Result<> {
      if (!swarm_) return fail(Errc::conflict, "this node left its swarm meanwhile");
      swarm_->blocks.add(block);
      return {};
    }));
  }
  return fail(Errc::exhausted, "the addresses claimed for this node went to others; try again");
}

std::string Control::next_interface(const model::Id& workload, std::set<std::string> taken) {
  for (const auto& endpoint : objects_->endpoints_of(workload)) taken.insert(endpoint.interface);
  for (int i = 0;; ++i) {
    const std::string name = "eth" + std::to_string(i);
    if (!taken.contains(name)) return name;
  }
}

Result<> Control::check_connect(ConnectSpec& spec, const std::string& interface,
                                const model::Network& network, const model::Workload& workload) {
  for (const model::Endpoint& endpoint : objects_->endpoints_of(workload.id)) {
    if (endpoint.network == network.id) {
      return fail(Errc::exists, "'" + workload.name + "' is connected to '" + network.name +
                                    "' already, as " + endpoint.address.address.format());
    }
    if (!interface.empty() && endpoint.interface == interface) {
      return fail(Errc::exists,
                  "'" + workload.name + "' has an interface '" + interface + "' already");
    }
  }
  return check_service(spec, network);
}

Result<Control::Attached> Control::attach(const ConnectSpec& spec,
                                          const std::optional<engine::Sighting>& container) {
  TRY(const model::Workload workload,
      container ? adopt_container(*container) : adopt_workload(spec.workload));
  auto attached = attach_workload(
      spec, workload, container ? container->sandbox->interfaces : std::set<std::string>());
  if (container && !attached) release_sandbox(workload.sandbox);
  return attached;
}

Result<Control::Attached> Control::attach_workload(ConnectSpec spec,
                                                   const model::Workload& workload,
                                                   const std::set<std::string>& interfaces) {
  const auto current = view();
  TRY(const model::Network* found, model::find_network(*current, spec.network));
  const model::Network network = *found;
  TRY_DO(check_network_takes(spec, network, workload.kind));
  TRY_DO(check_endpoint_values(spec, network));
  TRY(const EndpointOptions options, read_endpoint_options(spec));
  TRY_DO(check_connect(spec, options.interface, network, workload));
  if (!parts_.kernel->sandbox_exists(workload.sandbox)) {
    return std::unexpected(no_sandbox(workload));
  }
  model::Endpoint endpoint;
  endpoint.id = new_id();
  endpoint.network = network.id;
  endpoint.workload = workload.id;
  endpoint.workload_name = workload.name;
  endpoint.node = current->self;
  endpoint.interface =
      options.interface.empty() ? next_interface(workload.id, interfaces) : options.interface;
  endpoint.aliases = spec.aliases;
  endpoint.service = spec.service;
  endpoint.ports = spec.ports;
  endpoint.gateway_priority = spec.gateway_priority;
  endpoint.sysctls = options.sysctls;
  endpoint.weight = options.weight;
  endpoint.rate_in = spec.rate_in;
  endpoint.rate_out = spec.rate_out;
  endpoint.created = now();
  // A process that is not started yet serves nobody, whatever its ports are.
  const bool stopped =
      workload.kind == model::WorkloadKind::run && workload.pid == 0 && !endpoint.service.empty();
  const bool waits = Health::decides(endpoint) || stopped;
  endpoint.state = waits ? model::EndpointState::starting : model::EndpointState::ready;

  TRY_DO(reconcile::check_endpoint(as_asked(spec, endpoint), *current, *parts_.drivers));
  ipam::Lease lease(pools_of(network));
  if (auto taken = take_addresses(spec, network, lease, endpoint); !taken) {
    const bool may_claim = network.scope == model::Scope::swarm && !spec.address;
    if (taken.error().code() == Errc::exhausted && may_claim) return NeedsBlock{network.id};
    return std::unexpected(std::move(taken).error());
  }
  TRY(endpoint.published, resolve_published(endpoint, {}, spec.published));
  TRY(auto committed, commit_endpoint(std::move(endpoint), workload, lease));
  return Attached(std::move(committed));
}

std::optional<Error> Control::failure_of(const std::vector<Failure>& failures,
                                         const model::Endpoint& endpoint,
                                         const model::Workload& workload) const {
  const auto is_own = [&](const IpAddr& address) {
    return address == endpoint.address.address ||
           (endpoint.address6 && address == endpoint.address6->address);
  };
  for (const Failure& failure : failures) {
    const auto* attach = std::get_if<dataplane::Ensure<dataplane::Attachment>>(&failure.operation);
    if (attach != nullptr && attach->object.sandbox == workload.sandbox &&
        std::ranges::any_of(attach->object.addresses,
                            [&](const IfAddr& a) { return is_own(a.address); })) {
      return failure.error;
    }
    const auto* publish = std::get_if<dataplane::ChangePublished>(&failure.operation);
    if (publish != nullptr && std::ranges::any_of(publish->put, [&](const auto& entry) {
          return is_own(entry.second.address);
        })) {
      return failure.error;
    }
  }
  if (!facts_.missing_sandboxes.contains(workload.sandbox)) return {};
  return no_sandbox(workload);
}

// Stores the endpoint (and a workload that became known through it), then looks whether the kernel
// took it; if not, everything is as before.
Result<model::Endpoint> Control::commit_endpoint(model::Endpoint endpoint,
                                                 const model::Workload& workload,
                                                 ipam::Lease& lease) {
  const bool new_workload = !objects_->workloads().contains(workload.id);
  Objects::Batch batch;
  if (new_workload) batch.put(workload);
  batch.put(endpoint);
  TRY(const auto new_service, join_local_service(endpoint, lease, batch));
  TRY_DO(objects_->commit(std::move(batch)));
  const auto failures = refresh();
  const auto failed = failure_of(failures, endpoint, workload);
  if (!failed) {
    lease.keep();
    if (new_workload && !workload.container.empty()) watch_container(workload);
    return endpoint;
  }
  Objects::Batch undo;
  undo.remove_endpoint(endpoint.id);
  if (new_service) undo.remove_service(*new_service);
  if (new_workload) undo.remove_workload(workload.id);
  if (auto undone = objects_->commit(std::move(undo)); !undone) {
    log_error("store.failed", {{"error", undone.error()}});
    lease.keep();  // still an endpoint
  }
  refresh();
  return std::unexpected(failed->during("connect " + called(workload)));
}

Result<> Control::disconnect(std::string network_ref, std::string workload_ref, Deadline) {
  return executor_.call([&]() -> Result<> {
    const auto current = view();
    TRY(const model::Network* network, model::find_network(*current, network_ref));
    TRY(const model::Workload workload, adopt_workload(workload_ref));
    for (const model::Endpoint& endpoint : objects_->endpoints_of(workload.id)) {
      if (endpoint.network == network->id) return detach(endpoint);
    }
    return fail(Errc::not_found,
                "'" + workload.name + "' is not connected to '" + network->name + "'");
  });
}

void Control::remove_endpoint(const model::Endpoint& endpoint, Objects::Batch& batch,
                              std::vector<Held>& held) {
  batch.remove_endpoint(endpoint.id);
  std::vector<Held> own{{endpoint.network, endpoint.address.address}};
  if (endpoint.address6) own.push_back({endpoint.network, endpoint.address6->address});
  for (const Held& address : own) rest_address(address, batch);
  held.insert(held.end(), own.begin(), own.end());
  leave_local_service(endpoint, batch, held);
}

Result<> Control::detach(const model::Endpoint& endpoint) {
  const model::Workload workload = objects_->workloads().at(endpoint.workload);
  if (workload.kind == model::WorkloadKind::load_balancer) {
    return fail(Errc::in_use, "this endpoint belongs to load balancer '" + workload.name +
                                  "'; remove that: heddle lb rm " + workload.name);
  }
  Objects::Batch batch;
  std::vector<Held> held;
  remove_endpoint(endpoint, batch, held);
  // A workload known only through its attachments goes with the last of them.
  const bool is_last = objects_->endpoints_of(workload.id).size() == 1;
  if (is_last && workload.kind != model::WorkloadKind::run) {
    if (objects_->sidecars().contains(workload.id)) batch.remove_sidecar(workload.id);
    batch.remove_workload(workload.id);
  }
  TRY_DO(objects_->commit(std::move(batch)));
  give_up_addresses(held);
  refresh();
  if (!workload.container.empty()) release_sandbox(workload.sandbox);
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
  if (found->second.state == model::EndpointState::draining ||
      found->second.state == model::EndpointState::gone) {
    return;
  }
  log_info("endpoint.health", {{"endpoint", found->second.address.address.format()},
                               {"workload", found->second.workload_name},
                               {"healthy", healthy ? "yes" : "no"}});
  set_endpoint_state(id, healthy ? model::EndpointState::ready : model::EndpointState::starting);
  refresh();
}

// Whether any endpoint served somebody and is now known to leave.
bool Control::drain(const model::Id& workload) {
  bool any = false;
  for (const model::Endpoint& endpoint : objects_->endpoints_of(workload)) {
    if (endpoint.service.empty()) continue;
    any = any || endpoint.state == model::EndpointState::ready;
    set_endpoint_state(endpoint.id, model::EndpointState::draining);
  }
  if (any) refresh();
  return any;
}

}  // namespace heddle::control
