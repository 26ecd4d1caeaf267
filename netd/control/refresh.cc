// From objects to the kernel: one way for every change, and the audit that compares with the kernel
// itself.
#include <algorithm>
#include <utility>

#include "common/observe/log.h"
#include "netd/control/control.h"
#include "netd/control/host_facts.h"
#include "netd/control/view_builder.h"
#include "netd/reconcile/diff.h"
#include "netd/reconcile/plan.h"
#include "netd/runtime/sandbox.h"

namespace heddle::control {
namespace {

constexpr std::chrono::milliseconds kRetryDelay{500};

}  // namespace

std::vector<Control::Failure> Control::refresh() {
  const auto next =
      std::make_shared<const model::View>(build_view(*objects_, swarm_, unreachable_));
  update_facts(*next);
  // Listeners first: a sandbox is never steered to a proxy whose sockets do not exist.
  parts_.mesh->update(next);
  std::vector<Failure> failures;
  apply_plan(*next, failures);
  parts_.resolvers->update(*next, facts_.missing_sandboxes);
  {
    const std::lock_guard lock(view_mutex_);
    view_ = next;
  }
  update_health(*next);
  update_prober(*next);
  if (next->swarm) parts_.cluster->report({facts_.epoch, reported_endpoints(*next)});
  return failures;
}

void Control::apply_plan(const model::View& view, std::vector<Failure>& failures) {
  const dataplane::HostState wanted = reconcile::plan(view, facts_, *parts_.drivers);
  const auto operations = reconcile::diff(wanted, applied_);
  for (const dataplane::Operation& operation : operations) {
    if (auto done = parts_.kernel->apply(operation); !done) {
      log_warn("kernel.apply_failed",
               {{"operation", dataplane::describe(operation)}, {"error", done.error()}});
      failures.push_back({operation, std::move(done).error()});
    }
  }
  if (failures.empty()) {
    applied_ = wanted;
    return;
  }
  // What is true now only the kernel knows.
  if (auto observed = parts_.kernel->observe(wanted)) applied_ = *std::move(observed);
  retry_later();
}

void Control::update_facts(const model::View& view) {
  facts_.missing_sandboxes.clear();
  for (const auto& [id, workload] : view.workloads) {
    if (!parts_.kernel->sandbox_exists(workload.sandbox)) {
      facts_.missing_sandboxes.insert(workload.sandbox);
    }
  }
  facts_.underlay_device.clear();
  const auto self = view.nodes.find(view.self);
  if (!view.swarm || self == view.nodes.end()) return;
  if (const auto address = find_host_address(self->second.data_address)) {
    facts_.underlay_device = address->device;
    facts_.underlay_address = address->address.address;
    facts_.underlay_mtu = address->mtu;
  }
}

void Control::update_health(const model::View& view) {
  std::vector<Health::Check> checks;
  for (const auto& [id, endpoint] : view.endpoints) {
    if (!view.is_local(endpoint) || !Health::decides(endpoint)) continue;
    const auto workload = view.workloads.find(endpoint.workload);
    if (workload == view.workloads.end() ||
        facts_.missing_sandboxes.contains(workload->second.sandbox)) {
      continue;
    }
    // With a sidecar the endpoint's own address answers for the proxy: ask the application.
    const bool proxied = view.sidecars.contains(endpoint.workload);
    const IpAddr address = proxied ? IpAddr::v4(0x7f000001) : endpoint.address.address;
    Health::Check check{id, workload->second.sandbox, {}};
    for (const model::ServicePort& port : endpoint.ports) {
      if (port.protocol == model::Protocol::tcp) check.ports.push_back({address, port.port});
    }
    checks.push_back(std::move(check));
  }
  health_->set_checks(std::move(checks));
}

void Control::update_prober(const model::View& view) {
  if (!view.swarm || facts_.underlay_device.empty()) {
    prober_.reset();
    prober_key_.clear();
    unreachable_.clear();
    return;
  }
  const std::string key = SocketAddr{facts_.underlay_address, view.swarm->vxlan_port}.format();
  const bool resumed = adopted_ && prober_key_.empty();
  if (key != prober_key_) {
    auto prober = cluster::Prober::start(
        {.source = facts_.underlay_address, .vxlan_port = view.swarm->vxlan_port},
        [this](std::set<model::Id> unreachable) {
          executor_.post([this, unreachable = std::move(unreachable)] {
            if (!started_ || unreachable == unreachable_) return;
            for (const auto& id : unreachable) {
              if (!unreachable_.contains(id)) log_warn("node.unreachable", {{"node", id}});
            }
            for (const auto& id : unreachable_) {
              if (!unreachable.contains(id)) log_info("node.reachable", {{"node", id}});
            }
            unreachable_ = unreachable;
            refresh();
          });
        });
    if (!prober) {
      log_warn("prober.failed", {{"error", prober.error()}});
      retry_later();
      return;
    }
    prober_ = *std::move(prober);
    prober_key_ = key;
  }
  std::vector<cluster::Prober::Peer> peers;
  for (const auto& [id, node] : view.nodes) {
    if (id == view.self) continue;
    peers.push_back({id, node.data_address, node.epoch, resumed && !unreachable_.contains(id)});
  }
  prober_->set_peers(std::move(peers));
}

void Control::retry_later() {
  if (retry_pending_) return;
  retry_pending_ = true;
  executor_.after(kRetryDelay, [this] {
    retry_pending_ = false;
    if (started_) refresh();
  });
}

void Control::audit() {
  if (!started_) return;
  release_vanished();
  const auto current = view();
  if (const auto routes = learn_host(); !routes) {
    log_warn("host.survey_failed", {{"error", routes.error()}});
  }
  update_facts(*current);
  const dataplane::HostState wanted = reconcile::plan(*current, facts_, *parts_.drivers);
  if (auto observed = parts_.kernel->observe(wanted)) {
    for (const std::string& difference : reconcile::explain(wanted, *observed, *current)) {
      log_warn("audit.difference", {{"what", difference}});
    }
    applied_ = *std::move(observed);
    if (applied_ != wanted) refresh();
  } else {
    log_warn("audit.failed", {{"error", observed.error()}});
  }
  executor_.after(settings_.audit_interval, [this] { audit(); });
}

// Workloads that others own end without telling us: their sandbox is gone, or the process is.
void Control::release_vanished() {
  std::vector<model::Id> gone;
  for (const auto& [id, workload] : objects_->workloads()) {
    if (workload.kind == model::WorkloadKind::pid) {
      if (!runtime::owner_alive(workload.sandbox_owner)) gone.push_back(id);
    } else if (workload.kind == model::WorkloadKind::netns &&
               !parts_.kernel->sandbox_exists(workload.sandbox)) {
      gone.push_back(id);
    }
  }
  for (const model::Id& id : gone) {
    log_info("workload.vanished", {{"workload", objects_->workloads().at(id).name}});
    if (auto erased = erase_workload(id); !erased) {
      log_warn("workload.release_failed", {{"workload", id}, {"error", erased.error()}});
    }
  }
}

Result<Verified> Control::verify(Repair repair) {
  return executor_.call([this, repair]() -> Result<Verified> {
    const auto current = view();
    update_facts(*current);
    const dataplane::HostState wanted = reconcile::plan(*current, facts_, *parts_.drivers);
    TRY(dataplane::HostState observed, parts_.kernel->observe(wanted));
    Verified result;
    result.differences = reconcile::explain(wanted, observed, *current);
    if (repair == Repair::yes && !result.differences.empty()) {
      applied_ = std::move(observed);
      refresh();
      TRY(const dataplane::HostState after, parts_.kernel->observe(wanted));
      const auto left = reconcile::explain(wanted, after, *view());
      for (const std::string& difference : result.differences) {
        if (std::ranges::find(left, difference) == left.end())
          result.repaired.push_back(difference);
      }
    }
    for (std::string& conflict : host_conflicts()) {
      result.differences.push_back(std::move(conflict));
    }
    return result;
  });
}

}  // namespace heddle::control
