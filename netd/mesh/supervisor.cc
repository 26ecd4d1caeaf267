#include "netd/mesh/supervisor.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>
#include <utility>

#include "common/observe/log.h"
#include "netd/runtime/cgroup.h"

namespace heddle::mesh {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr milliseconds kLinger{250};
constexpr milliseconds kDrainGrace{15'000};  // the proxy itself gives its requests 10 s
constexpr milliseconds kFirstDelay{100};
constexpr milliseconds kLastDelay{5'000};
constexpr seconds kSteady{10};  // a process that ran this long had no trouble starting
constexpr int kFailuresInTrouble = 3;

constexpr int kFirstDescriptor = 3;
constexpr const char* kSocketsVariable = "HEDDLE_PROXY_SOCKETS";

milliseconds delay_after(int failures) {
  const int doublings = std::clamp(failures - 1, 0, 10);
  return std::min(kLastDelay, kFirstDelay * (1 << doublings));
}

std::string reason_of(int status) {
  if (status < 0) return "it ended";
  if (status > 128) return "it was ended by signal " + std::to_string(status - 128);
  return "it ended with status " + std::to_string(status);
}

Result<UniqueFd> open_log(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!fd) return fail_errno(errno, "open " + path);
  return fd;
}

}  // namespace

Supervisor::Supervisor(Settings settings, runtime::Processes& processes, Events events)
    : settings_(std::move(settings)),
      processes_(processes),
      events_(std::move(events)),
      worker_(std::make_shared<Worker>()) {
  for (auto& [id, file] : read_pid_files(settings_.dir)) {
    if (!processes_.alive(file.process)) {
      remove_pid_file(settings_.dir, id);
      continue;
    }
    log_info("proxy_found", {{"id", id}, {"pid", file.process.pid}});
    const std::lock_guard lock(mutex_);
    Unit& unit = units_[id];
    unit.running = std::move(file);
    unit.adopted = true;
    watch(id, unit.running->process);
  }
}

Supervisor::~Supervisor() {
  worker_->stop();
}

void Supervisor::want(Wanted wanted) {
  const std::lock_guard lock(mutex_);
  // Here, as whoever steers connections needs the cgroup's id before the process exists.
  if (auto cgroup = runtime::ensure_cgroup(settings_.cgroup(wanted.id)); !cgroup)
    log_error("proxy_cgroup_missing", {{"id", wanted.id}, {"error", cgroup.error()}});
  Unit& unit = units_[wanted.id];
  if (unit.wanted == wanted && !unit.lingering) return;
  const bool first = !unit.wanted;
  unit.wanted = wanted;
  unit.lingering = false;
  ++unit.round;
  if (unit.running && unit.running->place == wanted.sockets->place()) {
    if (first && unit.adopted) {
      log_info("proxy_adopted", {{"id", wanted.id}, {"pid", unit.running->process.pid}});
    }
    return;
  }
  if (unit.running) drain(wanted.id, unit);
  unit.failures = 0;
  // Not on the caller's thread: a fork of a large process takes milliseconds.
  later(milliseconds(0), wanted.id, unit.round,
        [this, id = wanted.id](Unit& due) { start(id, due); });
}

void Supervisor::unwant(const model::Id& proxy) {
  const std::lock_guard lock(mutex_);
  const auto it = units_.find(proxy);
  if (it == units_.end()) {
    worker_->post([this, proxy] { events_.on_gone(proxy); });
    return;
  }
  Unit& unit = it->second;
  if (unit.lingering) return;
  unit.wanted.reset();
  ++unit.round;
  unit.lingering = true;
  later(unit.running ? kLinger : milliseconds(0), proxy, unit.round, [this, proxy](Unit& due) {
    due.lingering = false;
    if (due.running) drain(proxy, due);
    erase_if_over(proxy);
  });
}

void Supervisor::unwant_others(const std::vector<model::Id>& wanted) {
  std::vector<model::Id> others;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, unit] : units_) {
      const bool listed = std::ranges::find(wanted, id) != wanted.end();
      if (!listed && (unit.wanted || unit.running)) others.push_back(id);
    }
  }
  for (const auto& id : others) unwant(id);
}

void Supervisor::replace(const model::Id& proxy) {
  const std::lock_guard lock(mutex_);
  const auto it = units_.find(proxy);
  if (it == units_.end() || !it->second.running) return;
  log_warn("proxy_replaced", {{"id", proxy}, {"pid", it->second.running->process.pid}});
  drain(proxy, it->second);
}

std::optional<ProxyStatus> Supervisor::status(const model::Id& proxy) {
  const std::lock_guard lock(mutex_);
  const auto it = units_.find(proxy);
  if (it == units_.end() || !it->second.wanted) return std::nullopt;
  const Unit& unit = it->second;
  ProxyStatus status;
  status.pid = unit.running ? unit.running->process.pid : 0;
  status.revision = unit.revision;
  if (unit.hopeless || (unit.failures >= kFailuresInTrouble && unit.revision == 0)) {
    status.state = ProxyState::failed;
    status.problem = unit.problem;
  } else if (unit.running && unit.revision > 0) {
    status.state = ProxyState::ready;
  }
  return status;
}

bool Supervisor::is_process(const model::Id& proxy, std::int64_t pid) {
  const std::lock_guard lock(mutex_);
  const auto it = units_.find(proxy);
  return it != units_.end() && it->second.running && it->second.running->process.pid == pid;
}

void Supervisor::acknowledged(const model::Id& proxy, std::int64_t pid, std::uint64_t revision,
                              const std::string& error) {
  {
    const std::lock_guard lock(mutex_);
    const auto it = units_.find(proxy);
    if (it == units_.end()) return;
    Unit& unit = it->second;
    if (!unit.running || (pid != 0 && unit.running->process.pid != pid)) return;
    unit.hopeless = !error.empty();
    unit.problem = error.empty() ? "" : "it refused its configuration: " + error;
    if (error.empty()) unit.revision = revision;
  }
  if (!error.empty()) log_error("proxy_refused_configuration", {{"id", proxy}, {"error", error}});
  changed();
}

void Supervisor::end_all() {
  std::vector<model::Id> all;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [id, unit] : units_) {
      all.push_back(id);
      unit.wanted.reset();
      ++unit.round;
      if (unit.running) processes_.stop(unit.running->process, "", milliseconds(0), nullptr);
    }
  }
  for (const auto& id : all) {
    if (auto removed = runtime::remove_cgroup(settings_.cgroup(id)); !removed)
      log_error("proxy_cgroup_not_removed", {{"id", id}, {"error", removed.error()}});
    remove_pid_file(settings_.dir, id);
    events_.on_gone(id);
  }
  const std::lock_guard lock(mutex_);
  for (const auto& id : all) units_.erase(id);
}

// Whoever is in the proxy's cgroup without being known was started by a daemon that was killed
// before it could write that down.
void Supervisor::end_orphans(const model::Id& proxy) {
  const std::string cgroup = settings_.cgroup(proxy);
  if (!runtime::populated(cgroup)) return;
  log_warn("proxy_orphan_ended", {{"id", proxy}, {"cgroup", cgroup}});
  if (auto killed = runtime::kill_cgroup(cgroup); !killed)
    log_error("proxy_orphan_not_ended", {{"id", proxy}, {"error", killed.error()}});
  // So that it does not take a connection from its successor on its last way.
  for (int i = 0; i < 50 && runtime::populated(cgroup); ++i)
    std::this_thread::sleep_for(milliseconds(2));
}

void Supervisor::start(const model::Id& proxy, Unit& unit) {
  if (!unit.wanted || unit.running) return;
  if (unit.draining == 0) end_orphans(proxy);
  auto process = launch(*unit.wanted);
  if (process) {
    started(proxy, unit, *process);
  } else {
    unit.hopeless = true;
    failed(proxy, unit, process.error().text());
  }
}

Result<runtime::ProcessId> Supervisor::launch(const Wanted& wanted) {
  const std::string log = settings_.log_dir + "/proxy-" + wanted.id;
  TRY(const UniqueFd access_log, open_log(log + ".access.log"));
  runtime::Processes::Spec spec;
  spec.name = "proxy of " + wanted.name;
  spec.sandbox = wanted.sandbox;
  spec.cgroup = settings_.cgroup(wanted.id);
  spec.log_file = log + ".log";
  spec.uid = settings_.uid;
  spec.descriptors[STDOUT_FILENO] = access_log.get();
  int number = kFirstDescriptor;
  std::string sockets;
  for (const auto& socket : wanted.sockets->all()) {
    sockets += (sockets.empty() ? "" : ",") + socket.handed + "=" + std::to_string(number);
    spec.descriptors[number++] = socket.fd.get();
  }
  spec.environment[kSocketsVariable] = sockets;
  std::string control = settings_.control_socket;
  UniqueFd dir;
  if (!settings_.control_dir.empty()) {
    dir.reset(::open(settings_.control_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!dir) return fail_errno(errno, "open " + settings_.control_dir);
    spec.descriptors[number] = dir.get();
    control = "/proc/self/fd/" + std::to_string(number) + control.substr(control.rfind('/'));
  }
  spec.command = {settings_.binary, "--id",         wanted.id, "--control-socket",
                  control,          "--access-log", "-"};
  return processes_.start(spec);
}

void Supervisor::started(const model::Id& proxy, Unit& unit, const runtime::ProcessId& process) {
  log_info("proxy_started", {{"id", proxy}, {"pid", process.pid}, {"workload", unit.wanted->name}});
  unit.running = PidFile{process, unit.wanted->sockets->place()};
  unit.started_at = steady_clock::now();
  unit.adopted = false;
  unit.hopeless = false;
  unit.revision = 0;
  if (auto written = write_pid_file(settings_.dir, proxy, *unit.running); !written)
    log_error("pid_file_not_written", {{"id", proxy}, {"error", written.error()}});
  watch(proxy, process);
}

void Supervisor::failed(const model::Id& proxy, Unit& unit, std::string problem) {
  ++unit.failures;
  unit.problem = std::move(problem);
  const milliseconds delay = delay_after(unit.failures);
  log_warn("proxy_down", {{"id", proxy},
                          {"workload", unit.wanted->name},
                          {"problem", unit.problem},
                          {"again_in_ms", delay.count()}});
  ++unit.round;
  later(delay, proxy, unit.round, [this, proxy](Unit& due) { start(proxy, due); });
  changed();
}

void Supervisor::watch(const model::Id& proxy, const runtime::ProcessId& process) {
  const std::weak_ptr<Worker> weak = worker_;
  auto watched = processes_.watch(process, [this, weak, proxy, process](int status) {
    if (const auto worker = weak.lock())
      worker->post([this, proxy, process, status] { ended(proxy, process, status); });
  });
  if (!watched) log_error("proxy_not_watched", {{"id", proxy}, {"error", watched.error()}});
}

void Supervisor::ended(const model::Id& proxy, const runtime::ProcessId& process, int status) {
  const std::lock_guard lock(mutex_);
  const auto it = units_.find(proxy);
  if (it == units_.end()) return;
  Unit& unit = it->second;
  if (!unit.running || unit.running->process != process) return;  // it was draining
  const bool steady = unit.adopted || steady_clock::now() - unit.started_at >= kSteady;
  unit.running.reset();
  unit.revision = 0;
  remove_pid_file(settings_.dir, proxy);
  if (!unit.wanted) return erase_if_over(proxy);
  if (steady) unit.failures = 0;
  failed(proxy, unit, reason_of(status));
}

void Supervisor::drain(const model::Id& proxy, Unit& unit) {
  const runtime::ProcessId process = unit.running->process;
  unit.running.reset();
  unit.revision = 0;
  ++unit.draining;
  log_info("proxy_draining", {{"id", proxy}, {"pid", process.pid}});
  const std::weak_ptr<Worker> weak = worker_;
  // Not its cgroup: a successor may be in it.
  processes_.stop(process, "", kDrainGrace, [this, weak, proxy] {
    if (const auto worker = weak.lock()) worker->post([this, proxy] { drained(proxy); });
  });
}

void Supervisor::drained(const model::Id& proxy) {
  const std::lock_guard lock(mutex_);
  const auto it = units_.find(proxy);
  if (it == units_.end()) return;
  --it->second.draining;
  erase_if_over(proxy);
}

void Supervisor::erase_if_over(const model::Id& proxy) {
  const auto it = units_.find(proxy);
  if (it == units_.end()) return;
  const Unit& unit = it->second;
  if (unit.wanted || unit.running || unit.draining > 0 || unit.lingering) return;
  if (auto removed = runtime::remove_cgroup(settings_.cgroup(proxy)); !removed)
    log_warn("proxy_cgroup_not_removed", {{"id", proxy}, {"error", removed.error()}});
  remove_pid_file(settings_.dir, proxy);
  units_.erase(it);
  worker_->post([this, proxy] { events_.on_gone(proxy); });  // outside our lock
}

void Supervisor::later(milliseconds delay, const model::Id& proxy, std::uint64_t round,
                       std::function<void(Unit&)> work) {
  worker_->at(steady_clock::now() + delay, [this, proxy, round, work = std::move(work)] {
    const std::lock_guard lock(mutex_);
    const auto it = units_.find(proxy);
    if (it != units_.end() && it->second.round == round) work(it->second);
  });
}

void Supervisor::changed() {
  worker_->post(events_.on_change);
}

}  // namespace heddle::mesh
