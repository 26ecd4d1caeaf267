#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "common/base/unique_fd.h"
#include "common/observe/log.h"
#include "netd/runtime/cgroup.h"
#include "netd/runtime/launch.h"
#include "netd/runtime/runtime.h"

namespace heddle::runtime {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxRemembered = 1024;  // ends of children nobody watched (yet)
constexpr int kStopPollMs = 20;
constexpr auto kKillBudget = std::chrono::seconds(5);

int pidfd_open(std::int64_t pid) {
  return static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0));
}

void send_signal(int pidfd, int signal) {
  ::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0);  // ESRCH: it has ended
}

bool has_ended(int pidfd) {
  pollfd end{pidfd, POLLIN, 0};
  return pidfd < 0 || ::poll(&end, 1, 0) == 1;
}

// None when it has ended; the number may be another process's by now.
UniqueFd open_process(const ProcessId& process) {
  UniqueFd fd(pidfd_open(process.pid));
  if (!fd) return {};
  const auto now = identify_child(process.pid);
  if (!now || now->start != process.start) return {};
  return fd;
}

// As a shell counts; -1 when it is not our child. Absent: it has not ended.
std::optional<int> reap_if_ended(int pidfd) {
  siginfo_t info{};
  int done;
  do {
    done = ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG);
  } while (done < 0 && errno == EINTR);
  if (done < 0) return -1;
  if (info.si_pid == 0) return std::nullopt;
  return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

// A process that we look at.
struct Watched {
  UniqueFd pidfd;
  std::optional<int> status;  // set: it has ended, and nobody has been told
  std::vector<std::function<void(int)>> on_exit;
  std::uint64_t order = 0;
};

// One stop() under way: terminating -> (ended) | killing -> (ended).
struct Stopping {
  ProcessId process;
  UniqueFd pidfd;  // none: it had ended before
  std::string cgroup;
  Clock::time_point deadline;
  std::function<void()> on_done;
  bool killing = false;
  bool rest_told = false;
};

class EpollProcesses final : public Processes {
 public:
  EpollProcesses(UniqueFd epoll, UniqueFd wake)
      : epoll_(std::move(epoll)), wake_(std::move(wake)), thread_([this] { run(); }) {}

  ~EpollProcesses() override {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    wake_up();
    thread_.join();
  }

  Result<ProcessId> start(const Spec& spec) override;
  bool alive(const ProcessId& process) override;
  Result<> watch(const ProcessId& process, std::function<void(int)> on_exit) override;
  void stop(const ProcessId& process, const std::string& cgroup, std::chrono::milliseconds grace,
            std::function<void()> on_done) override;

 private:
  using Calls = std::vector<std::function<void()>>;

  void run();
  void wake_up();
  Result<> add(const ProcessId& process, Watched watched);
  void collect_exit(int pidfd, Calls& calls);
  void forget_oldest();
  void advance_stops(Calls& calls);
  static bool advance(Stopping& job, Clock::time_point now);

  UniqueFd epoll_;
  UniqueFd wake_;
  std::mutex mutex_;  // guards what follows; never held while a callback runs
  bool ended_ = false;
  std::uint64_t next_order_ = 0;
  std::map<ProcessId, Watched> watched_;
  std::vector<Stopping> stops_;
  Calls pending_;
  std::thread thread_;
};

Result<ProcessId> EpollProcesses::start(const Spec& spec) {
  const std::string step = spec.name.empty() ? "start process" : "start " + spec.name;
  auto launched = launch(spec);
  if (!launched) return std::unexpected(std::move(launched).error().during(step));
  const ProcessId process = launched->process;
  const std::lock_guard lock(mutex_);
  // Watched from the start, so that it is reaped whoever asks.
  auto added = add(process, Watched{std::move(launched->pidfd), {}, {}, 0});
  if (!added) log_error("child_not_watched", {{"pid", process.pid}, {"error", added.error()}});
  return process;
}

bool EpollProcesses::alive(const ProcessId& process) {
  const auto now = identify(process.pid);
  return now && now->start == process.start;
}

Result<> EpollProcesses::watch(const ProcessId& process, std::function<void(int)> on_exit) {
  const std::lock_guard lock(mutex_);
  const auto later = [&](int status) {
    pending_.push_back([on_exit, status] { on_exit(status); });
    wake_up();
  };
  if (const auto it = watched_.find(process); it != watched_.end()) {
    if (!it->second.status) {
      it->second.on_exit.push_back(std::move(on_exit));
    } else {
      later(*it->second.status);
      watched_.erase(it);
    }
    return {};
  }
  UniqueFd pidfd = open_process(process);
  if (!pidfd) {
    later(-1);
    return {};
  }
  Watched watched{std::move(pidfd), {}, {}, 0};
  watched.on_exit.push_back(std::move(on_exit));
  return add(process, std::move(watched)).during("watch " + std::to_string(process.pid));
}

void EpollProcesses::stop(const ProcessId& process, const std::string& cgroup,
                          std::chrono::milliseconds grace, std::function<void()> on_done) {
  Stopping job{process, open_process(process), cgroup, Clock::now() + grace, std::move(on_done)};
  if (job.pidfd) send_signal(job.pidfd.get(), SIGTERM);
  const std::lock_guard lock(mutex_);
  stops_.push_back(std::move(job));
  wake_up();
}

void EpollProcesses::wake_up() {
  ::eventfd_write(wake_.get(), 1);
}

Result<> EpollProcesses::add(const ProcessId& process, Watched watched) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = watched.pidfd.get();
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, watched.pidfd.get(), &event) < 0)
    return fail_errno(errno, "epoll");
  watched.order = next_order_++;
  watched_[process] = std::move(watched);
  return {};
}

void EpollProcesses::run() {
  std::vector<epoll_event> events(64);
  for (;;) {
    int timeout = -1;
    {
      const std::lock_guard lock(mutex_);
      if (!stops_.empty()) timeout = kStopPollMs;
    }
    const int n =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout);
    Calls calls;
    {
      const std::lock_guard lock(mutex_);
      if (ended_) return;
      for (int i = 0; i < n; ++i) {
        eventfd_t count = 0;
        if (events[i].data.fd == wake_.get()) {
          ::eventfd_read(wake_.get(), &count);
        } else {
          collect_exit(events[i].data.fd, calls);
        }
      }
      std::move(pending_.begin(), pending_.end(), std::back_inserter(calls));
      pending_.clear();
      advance_stops(calls);
    }
    for (auto& call : calls) call();
  }
}

void EpollProcesses::collect_exit(int pidfd, Calls& calls) {
  const auto it = std::find_if(watched_.begin(), watched_.end(),
                               [&](const auto& w) { return w.second.pidfd.get() == pidfd; });
  if (it == watched_.end()) return;
  const auto status = reap_if_ended(pidfd);
  if (!status) return;
  Watched& watched = it->second;
  for (auto& on_exit : watched.on_exit)
    calls.push_back([on_exit = std::move(on_exit), code = *status] { on_exit(code); });
  if (!watched.on_exit.empty()) {
    watched_.erase(it);
    return;
  }
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, pidfd, nullptr);
  watched.pidfd.reset();
  watched.status = *status;
  forget_oldest();
}

void EpollProcesses::forget_oldest() {
  std::size_t remembered = 0;
  auto oldest = watched_.end();
  for (auto it = watched_.begin(); it != watched_.end(); ++it) {
    if (!it->second.status) continue;
    ++remembered;
    if (oldest == watched_.end() || it->second.order < oldest->second.order) oldest = it;
  }
  if (remembered > kMaxRemembered) watched_.erase(oldest);
}

void EpollProcesses::advance_stops(Calls& calls) {
  const auto now = Clock::now();
  for (auto it = stops_.begin(); it != stops_.end();) {
    if (!advance(*it, now)) {
      ++it;
      continue;
    }
    if (it->on_done) calls.push_back(std::move(it->on_done));
    it = stops_.erase(it);
  }
}

// True when it is over.
bool EpollProcesses::advance(Stopping& job, Clock::time_point now) {
  const bool ended = has_ended(job.pidfd.get());
  const bool rest = !job.cgroup.empty() && populated(job.cgroup);
  const bool late = now >= job.deadline;
  if (ended && !rest) {
    if (job.cgroup.empty()) return true;
    if (auto removed = remove_empty_cgroup(job.cgroup); !removed)
      log_warn("cgroup_not_removed", {{"cgroup", job.cgroup}, {"error", removed.error()}});
    return true;
  }
  if (job.killing) {
    if (late)
      log_error("process_survives_kill", {{"pid", job.process.pid}, {"cgroup", job.cgroup}});
    return late;
  }
  if (late) {
    job.killing = true;
    job.deadline = now + kKillBudget;
    if (job.pidfd) send_signal(job.pidfd.get(), SIGKILL);
    if (job.cgroup.empty()) return false;
    if (auto killed = kill_cgroup(job.cgroup); !killed)
      log_error("cgroup_not_killed", {{"cgroup", job.cgroup}, {"error", killed.error()}});
  } else if (ended && !job.rest_told) {
    // What the process left behind may end by itself within the same grace.
    job.rest_told = true;
    terminate_cgroup(job.cgroup);
  }
  return false;
}

}  // namespace

Result<std::unique_ptr<Processes>> Processes::create() {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll || !wake) return fail_errno(errno, "watch processes");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = wake.get();
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake.get(), &event) < 0)
    return fail_errno(errno, "watch processes");
  return std::unique_ptr<Processes>(new EpollProcesses(std::move(epoll), std::move(wake)));
}

}  // namespace heddle::runtime
