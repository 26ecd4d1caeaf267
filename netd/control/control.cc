#include "netd/control/control.h"

#include <sys/random.h>

#include <algorithm>

#include "common/base/check.h"
#include "common/observe/log.h"
#include "netd/control/view_builder.h"
#include "netd/reconcile/plan.h"

namespace heddle::control {
namespace {

// From disk; managers are not asked for it.
constexpr std::chrono::seconds kSwarmStateBudget{5};

std::uint64_t random_number() {
  std::uint64_t number = 0;
  CHECK(::getrandom(&number, sizeof number, 0) == static_cast<ssize_t>(sizeof number));
  return number;
}

}  // namespace

model::Id new_id() {
  static constexpr char kHex[] = "0123456789abcdef";
  std::uint64_t number = random_number();
  model::Id id(16, '0');
  for (char& digit : id) {
    digit = kHex[number & 15];
    number >>= 4;
  }
  return id;
}

Control::Control(Settings settings)
    : settings_(std::move(settings)), view_(std::make_shared<const model::View>()) {}

Control::~Control() {
  stop();
}

Result<> Control::start(Parts parts) {
  // A plan without the swarm would take its networks out of a kernel that carries their packets.
  if (parts.cluster->role() != cluster::Cluster::Role::none) {
    std::unique_lock lock(swarm_mutex_);
    if (!swarm_known_.wait_for(lock, kSwarmStateBudget, [this] { return swarm_told_; })) {
      log_warn("swarm.state_late", {{"waited_s", kSwarmStateBudget.count()}});
    }
  }
  return executor_.call([this, parts]() -> Result<> {
    parts_ = parts;
    facts_.cgroup = settings_.cgroup;
    health_ = std::make_unique<Health>([this](model::Id endpoint, bool healthy) {
      executor_.post([this, endpoint = std::move(endpoint), healthy] {
        if (started_) health_changed(endpoint, healthy);
      });
    });
    TRY(Objects objects, Objects::load(*parts_.store));
    objects_ = std::move(objects);
    // A kernel that still has our hooks has our map entries too: the same epoch. An empty one
    // starts a new epoch, and until the managers told it to the others they send nothing here.
    if (auto observed = parts_.kernel->observe({})) applied_ = *std::move(observed);
    adopted_ = applied_.underlay && applied_.underlay->epoch != 0;
    facts_.epoch = adopted_ ? applied_.underlay->epoch : random_number() | 1;
    started_ = true;
    resume_containers();
    release_vanished();
    resume_workloads();
    if (const auto routes = learn_host(); !routes) {
      log_warn("host.survey_failed", {{"error", routes.error()}});
    }
    adopt_kernel();
    refresh(Reach::whole);
    log_info("node.started", {{"networks", objects_->networks().size()},
                              {"workloads", objects_->workloads().size()},
                              {"endpoints", objects_->endpoints().size()},
                              {"epoch", facts_.epoch}});
    executor_.after(settings_.audit_interval, [this] { audit(); });
    follow_addresses();
    return {};
  });
}

// What matches the first plan is not touched.
void Control::adopt_kernel() {
  const model::View view = build_view(*objects_, swarm_, unreachable_);
  update_facts(view);
  auto observed = parts_.kernel->observe(reconcile::plan(view, facts_, *parts_.drivers));
  if (!observed) {
    log_warn("kernel.observe_failed", {{"error", observed.error()}});
    return;
  }
  applied_ = *std::move(observed);
  if (adopted_) unreachable_ = unreachable_in_kernel(view);
}

std::set<model::Id> Control::unreachable_in_kernel(const model::View& view) const {
  std::set<model::Id> serving;
  std::set<model::Id> missing;
  for (const auto& [id, endpoint] : view.endpoints) {
    if (view.is_local(endpoint) || !view.usable(endpoint)) continue;
    for (const auto& [key, entry] : applied_.services) {
      const auto service = std::ranges::find_if(view.services, [&](const auto& s) {
        return s.second.vip == entry.vip && s.second.network == endpoint.network &&
               s.second.name == endpoint.service;
      });
      if (service == view.services.end()) continue;
      const bool listed = std::ranges::any_of(entry.backends, [&](const auto& backend) {
        return backend.address == endpoint.address.address && backend.port == entry.port;
      });
      (listed ? serving : missing).insert(endpoint.node);
    }
  }
  for (const auto& node : serving) missing.erase(node);
  return missing;
}

void Control::stop() {
  executor_.post([this] { started_ = false; });
  executor_.stop();
  prober_.reset();
  health_.reset();
}

void Control::swarm_changed(cluster::SwarmState state) {
  executor_.post([this, state = std::move(state)]() mutable {
    swarm_ = std::move(state);
    if (started_) refresh();
  });
  // After the post: start() comes behind it in the queue.
  const std::lock_guard lock(swarm_mutex_);
  swarm_told_ = true;
  swarm_known_.notify_all();
}

void Control::proxies_changed() {
  executor_.post([this] {
    // An interception that waits for its listener is tried again at once.
    if (started_) refresh(retry_pending_ ? Reach::whole : Reach::change);
  });
}

void Control::container_changed(engine::Sighting seen) {
  executor_.post([this, seen = std::move(seen)] {
    if (started_) container_seen(seen);
  });
}

std::shared_ptr<const model::View> Control::view() {
  const std::lock_guard lock(view_mutex_);
  return view_;
}

Result<SystemInfo> Control::system_info() {
  TRY(SystemInfo info, settings_.system_info());
  TRY(info.notes, executor_.call([this]() -> Result<std::vector<std::string>> {
    return host_notes(reconcile::plan(*view(), facts_, *parts_.drivers));
  }));
  info.node_name = settings_.node_name;
  info.state_dir = settings_.state_dir;
  info.run_dir = settings_.run_dir;
  info.cgroup = settings_.cgroup;
  info.role = parts_.cluster->role();
  return info;
}

Result<> Control::reset(Deadline) {
  if (parts_.cluster->role() != cluster::Cluster::Role::none) {
    return fail(Errc::in_use,
                "this node is in a swarm; leave it first: heddle swarm leave --force");
  }
  TRY_DO(executor_.call([this]() -> Result<> {
    started_ = false;
    prober_.reset();
    health_->set_checks({});
    Result<> first;
    for (const auto& [id, workload] : model::Table(objects_->workloads())) {
      stopping_.insert(id);  // nobody starts it again
      if (workload.kind == model::WorkloadKind::run) {
        if (auto r = runtime::remove_cgroup(workload_cgroup(id)); !r && first) first = r;
      }
      if (auto r = erase_workload(id); !r && first) first = r;
    }
    // After the last refresh: it would start again what a remaining sidecar wants.
    parts_.mesh->remove_everything();
    Objects::Batch batch;
    for (const auto& [id, network] : objects_->networks()) batch.remove_network(id);
    for (const auto& [id, service] : objects_->services()) batch.remove_service(id);
    for (const auto& [id, address] : objects_->released()) batch.remove_released(id);
    if (auto r = objects_->commit(std::move(batch)); !r && first) first = r;
    if (auto r = parts_.kernel->remove_everything(); !r && first) first = r;
    parts_.resolvers->finish();
    if (auto r = parts_.keeper->shut(); !r && first) first = r;
    return first;
  }));
  settings_.ask_to_end();
  return {};
}

model::Time Control::now() const {
  return std::chrono::floor<std::chrono::seconds>(parts_.clock->wall());
}

}  // namespace heddle::control
