// Containers of the host's engines: known while they are connected, followed through stop and
// start, gone when they are removed. What counts is what the engine says when it is asked, and that
// the process lives.
#include <algorithm>

#include "common/observe/log.h"
#include "netd/control/control.h"

namespace heddle::control {
namespace {

bool is_container(const model::Workload& workload) {
  return workload.kind == model::WorkloadKind::docker ||
         workload.kind == model::WorkloadKind::podman;
}

// A DNS label: `Shop.web_1` -> `shop-web_1`.
std::string label_of(std::string name) {
  for (char& c : name) {
    c = c == '.' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return name;
}

// Whether somebody else's interface has a default route.
bool is_routed(const std::set<std::string>& routed, const std::set<std::string>& own) {
  return std::ranges::any_of(routed, [&](const auto& device) { return !own.contains(device); });
}

void make_ended(model::Workload& workload) {
  workload.state = model::WorkloadState::exited;
  workload.pid = 0;
  workload.pid_start.clear();
  workload.sandbox.clear();
  workload.routed = workload.routed6 = false;
}

// What a container's state makes of its endpoint's. `gone` keeps the address, and nothing else.
struct Turn {
  bool running = false;
  bool fresh = false;     // in another namespace, or again
  bool withheld = false;  // nothing new is to be sent to it
};
model::EndpointState next_state(const model::Endpoint& endpoint, const Turn& turn) {
  using State = model::EndpointState;
  if (!turn.running) return State::gone;
  if (turn.withheld && !endpoint.service.empty()) return State::draining;
  const bool again =
      turn.fresh || endpoint.state == State::gone || endpoint.state == State::draining;
  if (!again) return endpoint.state;
  return Health::decides(endpoint) ? State::starting : State::ready;
}

}  // namespace

std::vector<std::string> Control::running_containers(Deadline deadline) {
  return parts_.engines->list_running(deadline);
}

// Known containers are meant by their engine's id, whatever they are called here.
Result<std::optional<engine::Sighting>> Control::find_container(const std::string& reference,
                                                                Deadline deadline) {
  std::string asked = reference;
  if (!engine::is_container(reference)) {
    const auto current = view();
    const auto known = model::find_workload(*current, reference);
    if (!known || !is_container(**known)) return std::nullopt;
    asked = ((*known)->kind == model::WorkloadKind::docker ? "docker:" : "podman:") +
            (*known)->container;
  }
  TRY(engine::Sighting seen, parts_.engines->find(asked, deadline));
  return seen;
}

const model::Workload* Control::known_container(const engine::Sighting& seen) const {
  for (const auto& [id, workload] : objects_->workloads()) {
    if (workload.kind == seen.kind && workload.container == seen.id) return &workload;
  }
  return nullptr;
}

std::string Control::container_name(const engine::Sighting& seen, const model::Id& workload) const {
  const auto usable = [&](const std::string& name) {
    return model::check_name("workload name", name) &&
           std::ranges::none_of(objects_->workloads(), [&](const auto& other) {
             return other.second.name == name && other.first != workload;
           });
  };
  const std::string label = label_of(seen.container->name);
  if (usable(label)) return label;
  const std::string digits = seen.id.substr(0, 12);
  const std::string longer = label.substr(0, 50) + "-" + digits;
  return usable(longer) ? longer : "c-" + digits;
}

void Control::describe_container(const engine::Sighting& seen, model::Workload& workload) const {
  if (workload.container_name != seen.container->name) {
    workload.container_name = seen.container->name;
    workload.name = container_name(seen, workload.id);
  }
  if (!seen.sandbox || !parts_.processes->alive(seen.sandbox->process)) {
    make_ended(workload);
    return;
  }
  const std::string sandbox =
      settings_.run_dir + "/netns/container-" + std::to_string(seen.sandbox->cookie);
  std::set<std::string> own;
  if (workload.sandbox == sandbox) {
    for (const auto& endpoint : objects_->endpoints_of(workload.id)) own.insert(endpoint.interface);
  }
  workload.state = model::WorkloadState::running;
  workload.pid = seen.sandbox->process.pid;
  workload.pid_start = seen.sandbox->process.start;
  workload.sandbox = sandbox;
  workload.routed = is_routed(seen.sandbox->routed, own);
  workload.routed6 = is_routed(seen.sandbox->routed6, own);
}

// For a connect. One that is known is brought up to date first.
Result<model::Workload> Control::adopt_container(const engine::Sighting& seen) {
  const auto ended = [&] {
    return fail(Errc::conflict, "container '" + seen.container->name +
                                    "' ended meanwhile; connect it when it runs again");
  };
  if (known_container(seen) != nullptr) {
    container_seen(seen);
    const model::Workload* known = known_container(seen);
    if (known == nullptr || known->sandbox.empty()) return ended();
    return *known;
  }
  model::Workload workload;
  workload.id = new_id();
  workload.kind = seen.kind;
  workload.container = seen.id;
  workload.created = now();
  describe_container(seen, workload);
  if (workload.sandbox.empty()) return ended();
  TRY_DO(parts_.engines->pin(seen, workload.sandbox));
  return workload;
}

void Control::container_seen(const engine::Sighting& seen) {
  const model::Workload* known = known_container(seen);
  if (known == nullptr) return;  // disconnected meanwhile
  model::Workload before = *known;
  if (!seen.container) {
    log_info("container.removed", {{"workload", before.name}});
    if (auto erased = erase_workload(before.id); !erased) {
      log_warn("workload.release_failed", {{"workload", before.name}, {"error", erased.error()}});
    }
    return;
  }
  const bool over = seen.sandbox && !parts_.processes->alive(seen.sandbox->process);
  if (over && before.pid != 0 && parts_.processes->alive({before.pid, before.pid_start})) {
    return;  // of an earlier run than the one that is known
  }
  // Run after run: what was opened in the namespace of one ends with it.
  const runtime::ProcessId last{before.pid, before.pid_start};
  if (before.pid != 0 && seen.sandbox && !over && seen.sandbox->process != last) {
    container_ended(before.id, last);
    before = objects_->workloads().at(before.id);
  }
  model::Workload workload = before;
  describe_container(seen, workload);
  if (!workload.sandbox.empty() && workload.sandbox != before.sandbox) {
    if (auto pinned = parts_.engines->pin(seen, workload.sandbox); !pinned) {
      log_error("container.not_followed", {{"workload", workload.name}, {"error", pinned.error()}});
      return;
    }
  }
  settle_container(before, workload, seen.ending || seen.container->paused);
}

// Stores what a container has become, and lets everything follow.
void Control::settle_container(const model::Workload& before, const model::Workload& workload,
                               bool withheld) {
  const Turn turn{.running = workload.state == model::WorkloadState::running,
                  .fresh = workload.sandbox != before.sandbox || workload.pid != before.pid ||
                           workload.pid_start != before.pid_start,
                  .withheld = withheld};
  Objects::Batch batch;
  if (workload != before) batch.put(workload);
  for (const model::Endpoint& endpoint : objects_->endpoints_of(workload.id)) {
    model::Endpoint changed = endpoint;
    changed.workload_name = workload.name;
    changed.state = next_state(endpoint, turn);
    if (changed == endpoint) continue;
    if (changed.state == model::EndpointState::starting) health_->restart_check(endpoint.id);
    batch.put(std::move(changed));
  }
  if (batch.empty()) return;
  if (auto stored = objects_->commit(std::move(batch)); !stored) {
    log_error("store.failed", {{"error", stored.error()}});
    return;
  }
  refresh();
  release_sandbox(before.sandbox);
  if (turn.fresh) {
    log_info(turn.running ? "container.started" : "container.ended",
             {{"workload", workload.name}, {"pid", turn.running ? workload.pid : before.pid}});
  }
  if (turn.fresh && turn.running) watch_container(workload);
}

// The engine may be slow to tell, or not there.
void Control::watch_container(const model::Workload& workload) {
  const runtime::ProcessId process{workload.pid, workload.pid_start};
  const auto watched = parts_.processes->watch(process, [this, id = workload.id, process](int) {
    executor_.post([this, id, process] {
      if (started_) container_ended(id, process);
    });
  });
  if (!watched) {
    log_warn("workload.watch", {{"workload", workload.name}, {"error", watched.error()}});
  }
}

void Control::container_ended(const model::Id& id, const runtime::ProcessId& process) {
  const auto found = objects_->workloads().find(id);
  if (found == objects_->workloads().end()) return;
  const model::Workload before = found->second;
  if (runtime::ProcessId{before.pid, before.pid_start} != process) return;  // it runs again
  model::Workload workload = before;
  make_ended(workload);
  settle_container(before, workload, false);
}

// A pin that no workload has keeps a namespace from ending.
void Control::release_sandbox(const std::string& sandbox) {
  if (sandbox.empty()) return;
  for (const auto& [id, workload] : objects_->workloads()) {
    if (workload.sandbox == sandbox) return;
  }
  if (auto unpinned = parts_.engines->unpin(sandbox); !unpinned) {
    log_warn("container.unpin", {{"sandbox", sandbox}, {"error", unpinned.error()}});
  }
}

// After our own restart: those that ended meanwhile are not planned any more, the others watched.
void Control::resume_containers() {
  for (const auto& [id, before] : model::Table(objects_->workloads())) {
    if (!is_container(before) || before.state != model::WorkloadState::running) continue;
    if (parts_.processes->alive({before.pid, before.pid_start}) &&
        parts_.kernel->sandbox_exists(before.sandbox)) {
      watch_container(before);
      continue;
    }
    model::Workload workload = before;
    make_ended(workload);
    Objects::Batch batch;
    batch.put(workload);
    for (model::Endpoint endpoint : objects_->endpoints_of(id)) {
      endpoint.state = model::EndpointState::gone;
      batch.put(std::move(endpoint));
    }
    if (auto stored = objects_->commit(std::move(batch)); !stored) {
      log_error("store.failed", {{"error", stored.error()}});
      continue;
    }
    release_sandbox(before.sandbox);
  }
}

// Engines are asked about those that are connected, and left alone without any.
void Control::follow_containers() {
  std::map<model::WorkloadKind, std::set<std::string>> wanted{{model::WorkloadKind::docker, {}},
                                                              {model::WorkloadKind::podman, {}}};
  for (const auto& [id, workload] : objects_->workloads()) {
    if (is_container(workload)) wanted[workload.kind].insert(workload.container);
  }
  for (auto& [kind, containers] : wanted) {
    if (followed_[kind] == containers) continue;
    followed_[kind] = containers;
    parts_.engines->follow(kind, std::move(containers));
  }
}

}  // namespace heddle::control
