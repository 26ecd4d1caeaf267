// `heddle run`: sandboxes and processes of this node, and what other people's workloads become.
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "common/observe/log.h"
#include "dataplane/netns/netns.h"
#include "netd/control/control.h"
#include "netd/dns/resolv_conf.h"
#include "netd/model/workload_dns.h"
#include "netd/runtime/sandbox.h"

namespace heddle::control {
namespace {

using namespace std::chrono_literals;
constexpr auto kFirstRestartDelay = 100ms;
constexpr std::chrono::milliseconds kMaxRestartDelay = 10s;
constexpr auto kStableAfter = 10s;  // a process that ran this long starts its back-off anew
constexpr auto kStopGrace = 10s;
constexpr auto kDrainTime = 500ms;  // until every node has stopped choosing a leaving backend

Result<> write_file(const std::string& path, const std::string& text) {
  std::error_code ec;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ec);
  std::ofstream file(path, std::ios::trunc);
  file << text;
  file.close();
  if (!file) return fail_errno(errno, "write " + path);
  return {};
}

// What the host's own programs go by now. Without one there is nothing to keep of it.
dns::ResolvConf host_resolv_conf() {
  std::ifstream file("/etc/resolv.conf");
  std::stringstream text;
  text << file.rdbuf();
  return dns::parse_resolv_conf(text.str());
}

// Sandboxes and cgroups that an earlier daemon made or pinned for workloads of which the store
// knows nothing: it died before it had stored them, or after it had erased them.
void remove_orphans(const std::string& sandboxes, const std::string& cgroups,
                    const model::Table<model::Workload>& known) {
  constexpr std::string_view kCgroup = "workload-";
  std::error_code ec;
  const auto report = [](const std::string& path, const Result<>& removed) {
    if (removed) log_info("workload.orphan_removed", {{"path", path}});
    if (!removed) log_warn("workload.orphan", {{"path", path}, {"error", removed.error()}});
  };
  for (const auto& entry : std::filesystem::directory_iterator(cgroups, ec)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(kCgroup) || known.contains(name.substr(kCgroup.size()))) continue;
    report(entry.path(), runtime::remove_cgroup(entry.path()));
  }
  std::set<std::string> used;
  for (const auto& [id, workload] : known) used.insert(workload.sandbox);
  for (const auto& entry : std::filesystem::directory_iterator(sandboxes, ec)) {
    if (used.contains(entry.path().string())) continue;
    report(entry.path(), netns::remove(entry.path()));
  }
}

std::string made_up_name(const model::Id& workload) {
  return "w-" + workload;
}

}  // namespace

std::string Control::sandbox_path(const model::Id& workload) const {
  return settings_.run_dir + "/netns/" + workload;
}

std::string Control::called(const model::Workload& workload) {
  if (workload.name != made_up_name(workload.id)) return "'" + workload.name + "'";
  return workload.command.empty() ? workload.sandbox : "'" + workload.command.front() + "'";
}

std::string Control::workload_cgroup(const model::Id& workload) const {
  return settings_.cgroup + "/workload-" + workload;
}

Result<> Control::ensure_sandbox(const model::Workload& workload) {
  if (parts_.kernel->sandbox_exists(workload.sandbox)) return {};
  std::error_code ec;
  std::filesystem::create_directories(std::filesystem::path(workload.sandbox).parent_path(), ec);
  return netns::create(workload.sandbox).during("make the sandbox of " + workload.name);
}

Result<model::Workload> Control::adopt_workload(const std::string& reference) {
  const auto current = view();
  if (!reference.starts_with("netns:") && !reference.starts_with("pid:")) {
    TRY(const model::Workload* workload, model::find_workload(*current, reference));
    return *workload;
  }
  TRY(const runtime::SandboxRef ref, runtime::resolve_reference(reference));
  const model::Workload* known = nullptr;
  index_.workloads_in(ref.path, [&](const model::Id& id) {
    const model::Workload& there = current->workloads.at(id);
    if (there.sandbox_owner == ref.owner) known = &there;
    return known == nullptr;
  });
  if (known != nullptr) return *known;
  model::Workload workload;
  workload.id = new_id();
  workload.kind =
      reference.starts_with("pid:") ? model::WorkloadKind::pid : model::WorkloadKind::netns;
  // A DNS name of its own: pid-123, or the last part of the path.
  workload.name = workload.kind == model::WorkloadKind::pid
                      ? "pid-" + reference.substr(4)
                      : std::filesystem::path(ref.path).filename().string();
  for (char& c : workload.name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  bool taken = false;
  index_.workloads_named(workload.name, [&](const model::Id&) { taken = true; });
  if (taken || !model::check_name("workload name", workload.name)) {
    workload.name = made_up_name(workload.id);
  }
  workload.sandbox = ref.path;
  workload.sandbox_owner = ref.owner;
  workload.state = model::WorkloadState::running;
  workload.created = now();
  return workload;
}

Result<model::Workload> Control::create_run(const RunSpec& spec) {
  if (spec.command.empty() || spec.command.front().empty()) {
    return fail(Errc::invalid,
                "no command; write it after --: heddle run --network app -- CMD ARG");
  }
  if (!spec.directory.empty() && !spec.directory.starts_with('/')) {
    return fail(Errc::invalid, "directory '" + spec.directory + "' is not absolute");
  }
  model::Workload workload;
  workload.id = new_id();
  workload.name = spec.name.empty() ? made_up_name(workload.id) : spec.name;
  TRY_DO(model::check_name("workload name", workload.name));
  TRY_DO(model::dns_of(spec.labels));
  for (const auto& [id, other] : objects_->workloads()) {
    if (other.name == workload.name) {
      return fail(Errc::exists, "a workload '" + workload.name + "' exists already");
    }
  }
  workload.kind = model::WorkloadKind::run;
  workload.sandbox = sandbox_path(workload.id);
  workload.command = spec.command;
  workload.environment = spec.environment;
  workload.directory = spec.directory.empty() ? "/" : spec.directory;
  workload.restart = spec.restart;
  workload.labels = spec.labels;
  workload.created = now();
  TRY_DO(ensure_sandbox(workload));
  Objects::Batch batch;
  batch.put(workload);
  if (auto stored = objects_->commit(std::move(batch)); !stored) {
    (void)netns::remove(workload.sandbox).has_value();
    return std::unexpected(stored.error());
  }
  refresh();
  return workload;
}

Result<Daemon::Started> Control::run(RunSpec spec, Deadline deadline) {
  TRY(const model::Workload workload, executor_.call([&] { return create_run(spec); }));
  Started started{workload, {}};
  for (ConnectSpec& network : spec.networks) {
    network.workload = workload.id;
    auto endpoint = connect(network, deadline);
    if (!endpoint) {
      const Result<> undone = executor_.call([&]() -> Result<> {
        undo_run(workload.id);
        return {};
      });
      if (!undone) return std::unexpected(undone.error());
      return std::unexpected(std::move(endpoint).error());
    }
    started.endpoints.push_back(*std::move(endpoint));
  }
  auto begun = executor_.call([&]() -> Result<model::Workload> {
    if (auto ok = start_process(workload.id); !ok) {
      undo_run(workload.id);
      return std::unexpected(std::move(ok).error());
    }
    return objects_->workloads().at(workload.id);
  });
  if (!begun) return std::unexpected(std::move(begun).error());
  started.workload = *std::move(begun);
  return started;
}

void Control::undo_run(const model::Id& workload) {
  stopping_.insert(workload);
  if (auto erased = erase_workload(workload); !erased) {
    log_warn("run.undo_failed", {{"workload", workload}, {"error", erased.error()}});
  }
  stopping_.erase(workload);
}

Result<> Control::start_process(const model::Id& id) {
  const auto found = objects_->workloads().find(id);
  if (found == objects_->workloads().end()) return fail(Errc::not_found, "no workload " + id);
  model::Workload workload = found->second;
  const std::string resolv_conf = settings_.run_dir + "/workloads/" + id + "/resolv.conf";
  TRY(const model::WorkloadDns own, model::dns_of(workload.labels));
  TRY_DO(write_file(resolv_conf, dns::resolv_conf_for(own, host_resolv_conf())));
  runtime::Processes::Spec spec;
  spec.name = called(workload);
  spec.sandbox = workload.sandbox;
  spec.command = workload.command;
  spec.environment = workload.environment;
  spec.environment.try_emplace("PATH",
                               "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  spec.directory = workload.directory;
  spec.cgroup = workload_cgroup(id);
  spec.log_file = settings_.run_dir + "/workloads/" + id + "/log";
  spec.resolv_conf = resolv_conf;
  TRY(const runtime::ProcessId process, parts_.processes->start(spec));
  workload.state = model::WorkloadState::running;
  workload.pid = process.pid;
  workload.pid_start = process.start;
  started_at_[id] = parts_.clock->steady();
  Objects::Batch batch;
  batch.put(workload);
  if (auto stored = objects_->commit(std::move(batch)); !stored) {
    parts_.processes->stop(process, spec.cgroup, 0ms, [] {});
    return stored;
  }
  for (const model::Endpoint& endpoint : objects_->endpoints_of(id)) {
    health_->restart_check(endpoint.id);
    if (!Health::decides(endpoint)) {
      set_endpoint_state(endpoint.id, model::EndpointState::ready);
    }
  }
  refresh();
  log_info("workload.started", {{"workload", workload.name}, {"pid", process.pid}});
  return parts_.processes->watch(process, [this, id, process](int status) {
    executor_.post([this, id, process, status] {
      if (started_) process_ended(id, process, status);
    });
  });
}

void Control::process_ended(const model::Id& id, const runtime::ProcessId& process, int status) {
  const auto found = objects_->workloads().find(id);
  if (found == objects_->workloads().end()) return;
  model::Workload workload = found->second;
  if (runtime::ProcessId{workload.pid, workload.pid_start} != process) return;
  log_info("workload.ended", {{"workload", workload.name}, {"status", status}});
  workload.state = model::WorkloadState::exited;
  workload.pid = 0;
  workload.pid_start.clear();
  workload.exit_status = status;
  Objects::Batch batch;
  batch.put(workload);
  for (model::Endpoint& endpoint : objects_->endpoints_of(id)) {
    if (endpoint.state == model::EndpointState::draining) continue;
    endpoint.state = model::EndpointState::starting;
    batch.put(std::move(endpoint));
  }
  if (auto stored = objects_->commit(std::move(batch)); !stored) {
    log_error("store.failed", {{"error", stored.error()}});
  }
  refresh();
  if (stopping_.contains(id)) return;
  // Whatever it left behind in its cgroup would hold its ports.
  if (auto removed = runtime::remove_cgroup(workload_cgroup(id)); !removed) {
    log_warn("workload.cgroup", {{"workload", workload.name}, {"error", removed.error()}});
  }
  const bool again = workload.restart == model::RestartPolicy::always ||
                     (workload.restart == model::RestartPolicy::on_failure && status != 0);
  if (again) schedule_restart(id);
}

void Control::schedule_restart(const model::Id& id) {
  auto& delay = restart_delay_[id];
  const auto ran = parts_.clock->steady() - started_at_[id];
  delay = delay.count() == 0 || ran > kStableAfter ? std::chrono::milliseconds(kFirstRestartDelay)
                                                   : std::min(delay * 2, kMaxRestartDelay);
  executor_.after(delay, [this, id] {
    const auto found = started_ ? objects_->workloads().find(id) : objects_->workloads().end();
    if (!started_ || found == objects_->workloads().end() || stopping_.contains(id)) return;
    if (found->second.pid != 0) return;
    model::Workload workload = found->second;
    ++workload.restarts;
    Objects::Batch batch;
    batch.put(workload);
    if (auto stored = objects_->commit(std::move(batch)); !stored) {
      log_error("store.failed", {{"error", stored.error()}});
    }
    if (auto begun = start_process(id); !begun) {
      log_warn("workload.restart_failed", {{"workload", workload.name}, {"error", begun.error()}});
      started_at_[id] = parts_.clock->steady();
      schedule_restart(id);
    }
  });
}

// After our own restart: living processes are watched again. After the host's: what should run
// does.
void Control::resume_workloads() {
  remove_orphans(settings_.run_dir + "/netns", settings_.cgroup, objects_->workloads());
  for (auto [id, workload] : model::Table(objects_->workloads())) {
    const bool ours = workload.kind == model::WorkloadKind::run ||
                      workload.kind == model::WorkloadKind::load_balancer;
    if (!ours) continue;
    if (workload.kind == model::WorkloadKind::run &&
        workload.state == model::WorkloadState::starting) {
      // We died before its first process had been stored: the run never happened.
      log_info("workload.unfinished", {{"workload", workload.name}});
      executor_.post([this, id] {
        if (started_ && objects_->workloads().contains(id)) undo_run(id);
      });
      continue;
    }
    const runtime::ProcessId process{workload.pid, workload.pid_start};
    const bool alive = workload.kind == model::WorkloadKind::run && workload.pid != 0 &&
                       parts_.processes->alive(process);
    if (alive) {
      auto watched = parts_.processes->watch(process, [this, id, process](int status) {
        executor_.post([this, id, process, status] {
          if (started_) process_ended(id, process, status);
        });
      });
      if (!watched) log_warn("workload.watch", {{"workload", id}, {"error", watched.error()}});
      continue;
    }
    if (workload.kind == model::WorkloadKind::run) {
      const bool was_running = workload.state == model::WorkloadState::running;
      Objects::Batch batch;
      workload.state = model::WorkloadState::exited;
      workload.pid = 0;
      workload.pid_start.clear();
      batch.put(workload);
      for (model::Endpoint& endpoint : objects_->endpoints_of(id)) {
        endpoint.state = model::EndpointState::starting;
        batch.put(std::move(endpoint));
      }
      if (auto stored = objects_->commit(std::move(batch)); !stored) {
        log_error("store.failed", {{"error", stored.error()}});
      }
      const bool again = workload.restart == model::RestartPolicy::always ||
                         (workload.restart == model::RestartPolicy::on_failure && was_running);
      if (!again) continue;
    }
    if (auto made = ensure_sandbox(workload); !made) {
      log_warn("workload.sandbox", {{"workload", workload.name}, {"error", made.error()}});
    }
    if (workload.kind == model::WorkloadKind::run) {
      executor_.post([this, id] {
        if (!started_ || !objects_->workloads().contains(id)) return;
        if (auto begun = start_process(id); !begun) {
          log_warn("workload.start_failed", {{"workload", id}, {"error", begun.error()}});
          started_at_[id] = parts_.clock->steady();
          schedule_restart(id);
        }
      });
    }
  }
}

// Takes a workload with its endpoints, sidecar and (ours) sandbox away; its process must have
// ended.
Result<> Control::erase_workload(const model::Id& id) {
  const auto found = objects_->workloads().find(id);
  if (found == objects_->workloads().end()) return {};
  const model::Workload workload = found->second;
  Objects::Batch batch;
  std::vector<Held> held;
  for (const model::Endpoint& endpoint : objects_->endpoints_of(id)) {
    remove_endpoint(endpoint, batch, held);
  }
  if (objects_->sidecars().contains(id)) batch.remove_sidecar(id);
  if (objects_->load_balancers().contains(id)) batch.remove_load_balancer(id);
  batch.remove_workload(id);
  TRY_DO(objects_->commit(std::move(batch)));
  give_up_addresses(held);
  refresh();
  restart_delay_.erase(id);
  started_at_.erase(id);
  Result<> first;
  const bool ours = workload.kind == model::WorkloadKind::run ||
                    workload.kind == model::WorkloadKind::load_balancer;
  if (ours) {
    if (auto r = runtime::remove_cgroup(workload_cgroup(id)); !r) first = r;
    if (auto r = netns::remove(workload.sandbox); !r && first) first = r;
    std::error_code ec;
    std::filesystem::remove_all(settings_.run_dir + "/workloads/" + id, ec);
  }
  if (!workload.container.empty()) release_sandbox(workload.sandbox);
  return first;
}

Result<> Control::remove_workload(std::string reference, Force force, Deadline deadline) {
  TRY(const auto workload, executor_.call([&]() -> Result<model::Workload> {
    const auto current = view();
    TRY(const model::Workload* found, model::find_workload(*current, reference));
    if (found->kind == model::WorkloadKind::load_balancer) {
      return fail(Errc::in_use, "'" + found->name +
                                    "' belongs to a load balancer; remove that: "
                                    "heddle lb rm NAME");
    }
    const bool ours = found->kind == model::WorkloadKind::run;
    if (ours && found->pid != 0 && force == Force::no) {
      return fail(Errc::in_use, "workload '" + found->name + "' is running; stop it, or use -f");
    }
    stopping_.insert(found->id);
    return *found;
  }));
  const bool serving =
      executor_.call([&]() -> Result<bool> { return drain(workload.id); }).value_or(false);
  if (serving) std::this_thread::sleep_for(kDrainTime);
  // The processes of others go on without our networks.
  if (workload.kind == model::WorkloadKind::run && workload.pid != 0) {
    auto ended = std::make_shared<std::promise<void>>();
    parts_.processes->stop({workload.pid, workload.pid_start}, workload_cgroup(workload.id),
                           kStopGrace, [ended] { ended->set_value(); });
    if (ended->get_future().wait_until(deadline) != std::future_status::ready) {
      return fail(Errc::timeout, "'" + workload.name + "' has not ended yet; it will be killed");
    }
  }
  return executor_.call([&] {
    auto erased = erase_workload(workload.id);
    stopping_.erase(workload.id);
    return erased;
  });
}

}  // namespace heddle::control
