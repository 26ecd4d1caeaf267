// Sidecars and load balancers: who has a proxy. The mesh runs them.
#include <algorithm>
#include <condition_variable>

#include "common/observe/log.h"
#include "netd/control/control.h"

namespace heddle::control {
namespace {

using namespace std::chrono_literals;
constexpr auto kReadyPoll = 20ms;

std::vector<std::uint16_t> inbound_ports(const model::View& view, const model::Id& workload) {
  std::vector<std::uint16_t> ports;
  for (const auto& [id, endpoint] : view.endpoints) {
    if (endpoint.workload != workload) continue;
    for (const auto& port : endpoint.ports) {
      if (port.protocol == model::Protocol::tcp) ports.push_back(port.port);
    }
  }
  std::ranges::sort(ports);
  return ports;
}

Result<> check_groups(const LoadBalancerSpec& spec) {
  if (spec.listeners.empty()) {
    return fail(Errc::invalid, "a load balancer needs a listener: --listen http://0.0.0.0:80");
  }
  const auto has_group = [&](const std::string& name) {
    return std::ranges::any_of(spec.target_groups,
                               [&](const auto& group) { return group.name == name; });
  };
  for (const auto& group : spec.target_groups) {
    TRY_DO(model::check_name("target group name", group.name));
    TRY_DO(model::check_name("service name", group.service));
    if (group.port == 0) {
      return fail(Errc::invalid, "target group '" + group.name + "' needs a port from 1 to 65535");
    }
    if (std::ranges::count(spec.target_groups, group.name, &model::TargetGroup::name) > 1) {
      return fail(Errc::invalid, "target group '" + group.name + "' is given twice");
    }
  }
  for (const auto& listener : spec.listeners) {
    if (listener.address.port == 0) {
      return fail(Errc::invalid, "listener port must be from 1 to 65535");
    }
    if (!has_group(listener.default_target_group)) {
      return fail(Errc::invalid, "listener " + listener.address.format() + " names target group '" +
                                     listener.default_target_group + "', which is not given");
    }
    for (const auto& rule : listener.rules) {
      if (std::ranges::count(listener.rules, rule.priority, &model::LbRule::priority) > 1) {
        return fail(Errc::invalid, "listener " + listener.address.format() +
                                       " has several rules of priority " +
                                       std::to_string(rule.priority));
      }
      if (!has_group(rule.target_group)) {
        return fail(Errc::invalid, "rule " + std::to_string(rule.priority) +
                                       " names target group '" + rule.target_group +
                                       "', which is not given");
      }
    }
  }
  return {};
}

}  // namespace

std::optional<mesh::ProxyStatus> Control::proxy_status(const model::Id& workload) {
  auto status = executor_.call(
      [&]() -> Result<std::optional<mesh::ProxyStatus>> { return parts_.mesh->status(workload); });
  return status.value_or(std::nullopt);
}

Result<> Control::wait_for_proxy(const model::Id& workload, Deadline deadline) {
  for (;;) {
    const auto status = proxy_status(workload);
    if (status && status->state == mesh::ProxyState::ready) return {};
    if (status && status->state == mesh::ProxyState::failed) {
      return fail(Errc::unavailable, "the proxy does not start: " + status->problem);
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      return fail(Errc::timeout,
                  "the proxy is not ready yet; see heddle sidecar ls or heddle lb ls");
    }
    std::this_thread::sleep_for(kReadyPoll);
  }
}

Result<ProxiedWorkload> Control::inject_sidecar(std::string reference, Deadline deadline) {
  TRY(const auto workload, executor_.call([&]() -> Result<model::Workload> {
    const auto current = view();
    TRY(const model::Workload* found, model::find_workload(*current, reference));
    if (found->kind == model::WorkloadKind::load_balancer) {
      return fail(Errc::invalid,
                  "'" + found->name + "' is a load balancer: it has a proxy already");
    }
    if (objects_->sidecars().contains(found->id)) {
      return fail(Errc::exists, "'" + found->name + "' has a sidecar already");
    }
    if (found->sandbox.empty()) {
      return fail(Errc::unavailable, "'" + found->name + "' is not running; start it first");
    }
    if (objects_->endpoints_of(found->id).empty()) {
      return fail(Errc::invalid, "'" + found->name +
                                     "' is connected to no network; connect it "
                                     "first: heddle network connect NET " +
                                     found->name);
    }
    const model::Workload target = *found;
    Objects::Batch batch;
    batch.put(model::Sidecar{target.id});
    TRY_DO(objects_->commit(std::move(batch)));
    const auto failures = refresh();
    for (const auto& failure : failures) {
      const auto* ensure =
          std::get_if<dataplane::Ensure<dataplane::Interception>>(&failure.operation);
      if (ensure == nullptr || ensure->object.sandbox != target.sandbox) continue;
      const Error reason = failure.error.during("inject a sidecar into " + target.name);
      Objects::Batch undo;
      undo.remove_sidecar(target.id);
      TRY_DO(objects_->commit(std::move(undo)));
      refresh();
      return std::unexpected(reason);
    }
    return target;
  }));
  if (auto ready = wait_for_proxy(workload.id, deadline); !ready) {
    if (ready.error().code() != Errc::unavailable) return std::unexpected(ready.error());
    const auto undone = eject_sidecar(workload.id, deadline);
    return std::unexpected(undone ? ready.error() : undone.error());
  }
  return ProxiedWorkload{workload, proxy_status(workload.id).value_or(mesh::ProxyStatus{}),
                         inbound_ports(*view(), workload.id)};
}

Result<> Control::eject_sidecar(std::string reference, Deadline) {
  return executor_.call([&]() -> Result<> {
    const auto current = view();
    TRY(const model::Workload* found, model::find_workload(*current, reference));
    if (!objects_->sidecars().contains(found->id)) {
      return fail(Errc::not_found, "'" + found->name + "' has no sidecar");
    }
    Objects::Batch batch;
    batch.remove_sidecar(found->id);
    TRY_DO(objects_->commit(std::move(batch)));
    refresh();
    return {};
  });
}

Result<model::LoadBalancer> Control::create_load_balancer(LoadBalancerSpec spec,
                                                          Deadline deadline) {
  TRY_DO(model::check_name("load balancer name", spec.name));
  TRY_DO(check_groups(spec));
  TRY(const auto balancer, executor_.call([&]() -> Result<model::LoadBalancer> {
    const auto current = view();
    TRY(const model::Network* network, model::find_network(*current, spec.network));
    for (const auto& [id, workload] : objects_->workloads()) {
      if (workload.name == spec.name) {
        return fail(Errc::exists, "a workload or load balancer '" + spec.name + "' exists already");
      }
    }
    for (const auto& group : spec.target_groups) {
      TRY_DO(model::find_service(*current, group.service + "." + network->name)
                 .during("target group " + group.name));
    }
    model::LoadBalancer made;
    made.id = new_id();
    made.name = spec.name;
    made.network = network->id;
    made.node = current->self;
    made.listeners = spec.listeners;
    made.target_groups = spec.target_groups;
    made.created = now();
    // Its proxy lives in a sandbox of its own, which is an ordinary endpoint of the network; only
    // its listeners are the host's.
    model::Workload workload;
    workload.id = made.id;
    workload.name = spec.name;
    workload.kind = model::WorkloadKind::load_balancer;
    workload.sandbox = sandbox_path(made.id);
    workload.state = model::WorkloadState::running;
    workload.created = made.created;
    TRY_DO(ensure_sandbox(workload));
    Objects::Batch batch;
    batch.put(workload).put(made);
    if (auto stored = objects_->commit(std::move(batch)); !stored) {
      const Error reason = stored.error();
      undo_run(made.id);
      return std::unexpected(reason);
    }
    refresh();
    return made;
  }));
  ConnectSpec attach_to;
  attach_to.network = balancer.network;
  attach_to.workload = balancer.id;
  auto outcome = connect(std::move(attach_to), deadline);
  auto ready =
      outcome ? wait_for_proxy(balancer.id, deadline) : Result<>(std::unexpected(outcome.error()));
  if (!ready) {
    const Result<> undone = remove_load_balancer(balancer.id, deadline);
    if (!undone) log_warn("lb.undo_failed", {{"error", undone.error()}});
    return std::unexpected(std::move(ready).error());
  }
  return balancer;
}

Result<> Control::remove_load_balancer(std::string reference, Deadline) {
  return executor_.call([&]() -> Result<> {
    const auto current = view();
    TRY(const model::LoadBalancer* found, model::find_load_balancer(*current, reference));
    return erase_workload(model::Id(found->id));
  });
}

}  // namespace heddle::control
