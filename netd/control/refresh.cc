// From objects to the kernel: one way for every change, and the audit that compares with the kernel
// itself.
#include <malloc.h>

#include <algorithm>
#include <utility>

#include "common/observe/log.h"
#include "dataplane/intent/advance.h"
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

// What of two views is not the same, and what hangs on it.
struct Control::Touched {
  model::ViewChange change;
  std::set<model::Id> endpoints;  // these, and those of changed workloads
  std::set<model::Id> workloads;  // these, and those of changed endpoints
  std::set<model::Id> networks;   // whose names may differ
  bool report = false;            // an endpoint of a swarm network
  bool containers = false;        // a workload that an engine runs
};

namespace {

bool is_reported(const model::View& view, const model::Id& network) {
  const auto found = view.networks.find(network);
  return found != view.networks.end() && found->second.scope == model::Scope::swarm;
}

}  // namespace

Control::Touched Control::touched_by(const Seen& before, const Seen& after) {
  Touched touched{model::compare(before.view, after.view), {}, {}, {}};
  const model::ViewChange& change = touched.change;
  touched.endpoints = change.endpoints;
  touched.workloads = change.workloads;
  touched.networks = change.networks;
  touched.report = !change.networks.empty();
  std::set<model::Id> whole = change.workloads;  // with all their endpoints
  whole.insert(change.sidecars.begin(), change.sidecars.end());
  for (const Seen* seen : {&before, &after}) {
    const model::View* view = &seen->view;
    for (const model::Id& id : change.endpoints) {
      const auto found = view->endpoints.find(id);
      if (found == view->endpoints.end()) continue;
      touched.networks.insert(found->second.network);
      touched.report = touched.report || is_reported(*view, found->second.network);
      if (view->is_local(found->second)) touched.workloads.insert(found->second.workload);
    }
    for (const model::Id& id : change.workloads) {
      const auto found = view->workloads.find(id);
      const bool is_one = found != view->workloads.end() && !found->second.container.empty();
      touched.containers = touched.containers || is_one;
    }
    for (const model::Id& id : change.services) {
      const auto found = view->services.find(id);
      if (found != view->services.end()) touched.networks.insert(found->second.network);
    }
    for (const model::Id& workload : whole) {
      seen->index.endpoints_of(workload,
                               [&](const model::Id& id) { touched.endpoints.insert(id); });
    }
  }
  return touched;
}

std::vector<Control::Failure> Control::refresh(Reach reach) {
  const auto before = view();
  const auto next =
      std::make_shared<const model::View>(build_view(*objects_, swarm_, unreachable_, *before));
  const model::Index index_before = index_;
  index_.follow(*before, *next);
  const Touched touched = touched_by({*before, index_before}, {*next, index_});
  // Listeners first: a sandbox is never steered to a proxy whose sockets do not exist.
  parts_.mesh->update(next);
  std::optional<std::vector<dataplane::Operation>> operations;
  if (reach == Reach::change) {
    update_sandboxes(*before, *next, touched.workloads);
    operations = reconcile::plan_change({*before, planned_facts_, index_before},
                                        {*next, facts_, index_}, *parts_.drivers, touched.change);
  }
  const bool whole = !operations;
  if (whole) operations = plan_whole(*next);
  planned_facts_ = facts_;
  std::vector<Failure> failures;
  apply(*operations, failures);
  if (whole) {
    parts_.resolvers->update(next, facts_.missing_sandboxes);
  } else {
    parts_.resolvers->update(next, index_, facts_.missing_sandboxes,
                             {touched.workloads, touched.networks});
  }
  {
    const std::lock_guard lock(view_mutex_);
    view_ = next;
  }
  if (whole) {
    follow_whole(next);
  } else {
    follow_change(next, touched);
  }
  if (touched.containers) follow_containers();
  return failures;
}

std::vector<dataplane::Operation> Control::plan_whole(const model::View& view) {
  update_facts(view);
  dataplane::HostState wanted = reconcile::plan(view, facts_, *parts_.drivers);
  if (in_doubt_) {
    if (auto observed = parts_.kernel->observe(wanted)) {
      applied_ = *std::move(observed);
      in_doubt_ = false;
    }
  }
  return reconcile::diff(wanted, applied_);
}

void Control::apply(const std::vector<dataplane::Operation>& operations,
                    std::vector<Failure>& failures) {
  for (const dataplane::Operation& operation : operations) {
    auto done = parts_.kernel->apply(operation);
    if (done) {
      dataplane::advance(applied_, operation);
      continue;
    }
    log_warn("kernel.apply_failed",
             {{"operation", dataplane::describe(operation)}, {"error", done.error()}});
    // A refusal left what was there; of anything else only the kernel knows.
    in_doubt_ = true;
    failures.push_back({operation, std::move(done).error()});
  }
  if (!failures.empty()) retry_later();
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

void Control::update_sandboxes(const model::View& before, const model::View& after,
                               const std::set<model::Id>& workloads) {
  // A path that is missing stays known as such while anybody may go by it.
  const auto look_at = [this](const std::string& sandbox) {
    if (parts_.kernel->sandbox_exists(sandbox)) {
      facts_.missing_sandboxes.erase(sandbox);
    } else {
      facts_.missing_sandboxes.insert(sandbox);
    }
  };
  for (const model::Id& id : workloads) {
    const auto was = before.workloads.find(id);
    const auto is = after.workloads.find(id);
    if (is != after.workloads.end()) look_at(is->second.sandbox);
    if (was == before.workloads.end() || !facts_.missing_sandboxes.contains(was->second.sandbox)) {
      continue;
    }
    if (is == after.workloads.end() || is->second.sandbox != was->second.sandbox) {
      look_at(was->second.sandbox);
    }
  }
}

void Control::follow_whole(const std::shared_ptr<const model::View>& view) {
  std::vector<Health::Check> checks;
  for (const auto& [id, endpoint] : view->endpoints) {
    if (auto check = check_of(*view, endpoint)) checks.push_back(*std::move(check));
  }
  health_->set_checks(std::move(checks));
  update_prober(*view);
  if (view->swarm) report_to_managers(*view);
}

void Control::report_to_managers(const model::View& view) {
  parts_.cluster->report({facts_.epoch, reported_endpoints(view), moved_});
}

void Control::follow_change(const std::shared_ptr<const model::View>& view,
                            const Touched& touched) {
  for (const model::Id& id : touched.endpoints) {
    const auto found = view->endpoints.find(id);
    std::optional<Health::Check> check;
    if (found != view->endpoints.end()) check = check_of(*view, found->second);
    if (check) {
      health_->set_check(*std::move(check));
    } else {
      health_->drop_check(id);
    }
  }
  if (view->swarm && touched.report) {
    report_to_managers(*view);
  }
}

// What Health is to ask of an endpoint here; nothing when its ports do not decide.
std::optional<Health::Check> Control::check_of(const model::View& view,
                                               const model::Endpoint& endpoint) {
  if (!view.is_local(endpoint) || !Health::decides(endpoint)) return std::nullopt;
  const auto workload = view.workloads.find(endpoint.workload);
  if (workload == view.workloads.end() ||
      facts_.missing_sandboxes.contains(workload->second.sandbox)) {
    return std::nullopt;
  }
  // With a sidecar the endpoint's own address answers for the proxy: ask the application.
  const bool proxied = view.sidecars.contains(endpoint.workload);
  const IpAddr address = proxied ? IpAddr::v4(0x7f000001) : endpoint.address.address;
  Health::Check check{endpoint.id, workload->second.sandbox, {}};
  for (const model::ServicePort& port : endpoint.ports) {
    if (port.protocol == model::Protocol::tcp) check.ports.push_back({address, port.port});
  }
  return check;
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
    if (started_) refresh(Reach::whole);
  });
}

void Control::audit() {
  if (!started_) return;
  release_vanished();
  parts_.resolvers->look_at_host();
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
    in_doubt_ = false;
    if (applied_ != wanted) refresh(Reach::whole);
  } else {
    log_warn("audit.failed", {{"error", observed.error()}});
  }
  // A plan and an observation of everything have just come and gone: what they took is given back.
  ::malloc_trim(0);
  executor_.after(settings_.audit_interval, [this] { audit(); });
}

// Workloads that others own end without telling us: their sandbox is gone, or the process is.
void Control::release_vanished() {
  std::vector<model::Id> gone;
  for (const auto& [id, workload] : model::Table(objects_->workloads())) {
    const runtime::ProcessId process{workload.pid, workload.pid_start};
    if (!workload.container.empty() && workload.pid != 0 && !parts_.processes->alive(process)) {
      container_ended(id, process);
    }
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
      refresh(Reach::whole);
      TRY(const dataplane::HostState after, parts_.kernel->observe(wanted));
      const auto left = reconcile::explain(wanted, after, *view());
      for (const std::string& difference : result.differences) {
        if (std::ranges::find(left, difference) == left.end())
          result.repaired.push_back(difference);
      }
    }
    result.notes = host_notes(wanted);
    for (std::string& conflict : host_conflicts()) {
      result.differences.push_back(std::move(conflict));
    }
    for (std::string& trouble : parts_.engines->troubles()) {
      result.differences.push_back(std::move(trouble));
    }
    return result;
  });
}

}  // namespace heddle::control
