#include "topologies/engine/process/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <condition_variable>

#include "common/base/check.h"
#include "common/base/unique_fd.h"

namespace heddle::process {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

// Shared by the child's owner, its reader thread and the reaper.
class Supervisor::Process final : public Child {
 public:
  explicit Process(bool captured) : streams_open_(captured ? 2 : 0) {}

  int pid() const override { return pid_; }
  void started(int pid) { pid_ = pid; }

  std::optional<Ending> ending() const override {
    std::lock_guard lock(mutex_);
    return ending_;
  }

  Result<Ending> wait(Deadline deadline) override {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_until(lock, deadline, [&] { return ending_.has_value(); }))
      return fail(Errc::timeout, "pid " + std::to_string(pid_) + " still runs");
    // What it printed before it ended is in the pipes now; others that it left behind may hold them
    // open for ever.
    const Deadline grace = after(kOutputGrace);
    while (streams_open_ > 0 && unread_bytes() > 0 && SteadyClock::now() < grace)
      changed_.wait_for(lock, 1ms);
    return *ending_;
  }

  void signal(int number, Reach reach) override {
    std::lock_guard lock(mutex_);
    if (!ending_) ::kill(reach == Reach::group ? -pid_ : pid_, number);
  }

  Output output() const override { return copy(output_); }
  Output error() const override { return copy(error_); }

  void ended(int status) {
    std::lock_guard lock(mutex_);
    Ending ending;
    ending.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    ending.exit = ending.signal ? 128 + ending.signal : WEXITSTATUS(status);
    ending.time =
        std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - start_);
    ending_ = ending;
    changed_.notify_all();
  }

  // Before the process starts: where it prints.
  void reads_from(UniqueFd out, UniqueFd err) {
    out_ = std::move(out);
    err_ = std::move(err);
  }

  // Reads both pipes until they close.
  void read_streams() {
    std::array<pollfd, 2> polled{pollfd{out_.get(), POLLIN, 0}, pollfd{err_.get(), POLLIN, 0}};
    const std::array<Output*, 2> sinks{&output_, &error_};
    int open = 2;
    while (open > 0) {
      if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) break;
      for (std::size_t i = 0; i < polled.size(); ++i) {
        if (polled[i].fd < 0 || !polled[i].revents) continue;
        if (read_some(polled[i].fd, *sinks[i])) continue;
        polled[i].fd = -1;
        --open;
      }
    }
    std::lock_guard lock(mutex_);
    streams_open_ = 0;
    changed_.notify_all();
  }

 private:
  static constexpr std::chrono::milliseconds kOutputGrace{5000};

  // Holds the mutex; from poll it knows that read does not block.
  bool read_some(int fd, Output& sink) {
    std::array<char, 65536> buffer;
    std::lock_guard lock(mutex_);
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0) return errno == EINTR || errno == EAGAIN;
    if (got == 0) return false;
    sink.text.append(buffer.data(), static_cast<std::size_t>(got));
    if (sink.text.size() > 2 * kMaxOutput) {
      const std::size_t excess = sink.text.size() - kMaxOutput;
      sink.text.erase(0, excess);
      sink.dropped_bytes += excess;
    }
    return true;
  }

  int unread_bytes() const {
    int out = 0;
    int err = 0;
    ::ioctl(out_.get(), FIONREAD, &out);
    ::ioctl(err_.get(), FIONREAD, &err);
    return out + err;
  }

  Output copy(const Output& source) const {
    std::lock_guard lock(mutex_);
    Output out = source;
    if (out.text.size() > kMaxOutput) {
      out.dropped_bytes += out.text.size() - kMaxOutput;
      out.text.erase(0, out.text.size() - kMaxOutput);
    }
    return out;
  }

  const SteadyClock::time_point start_ = SteadyClock::now();
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  UniqueFd out_;  // ours of its pipes
  UniqueFd err_;
  int pid_ = 0;
  int streams_open_;
  std::optional<Ending> ending_;
  Output output_;
  Output error_;
};

struct Supervisor::Table {
  std::mutex mutex;  // held over fork and registration, so that no child ends unknown
  std::condition_variable changed;
  std::map<int, std::shared_ptr<Process>> running;
  bool stopping = false;

  void reap_all();
};

// Waits for children without taking their status, looks them up, then reaps: until that moment
// their numbers stay theirs.
void Supervisor::Table::reap_all() {
  for (;;) {
    siginfo_t info{};
    const int waited = ::waitid(P_ALL, 0, &info, WEXITED | WNOWAIT);
    std::unique_lock lock(mutex);
    if (waited < 0) {
      if (stopping) return;
      // No children: wait for the next start.
      if (errno == ECHILD && running.empty()) changed.wait_for(lock, 1s);
      continue;
    }
    const auto found = running.find(info.si_pid);
    int status = 0;
    if (found == running.end()) {
      ::waitpid(info.si_pid, &status, WNOHANG);
      continue;
    }
    const std::shared_ptr<Process> process = found->second;
    running.erase(found);
    ::waitpid(info.si_pid, &status, WNOHANG);
    process->ended(status);
  }
}

Supervisor::Supervisor() : table_(std::make_shared<Table>()) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  reaper_ = std::thread([table = table_] { table->reap_all(); });
}

Supervisor::~Supervisor() {
  {
    std::lock_guard lock(table_->mutex);
    table_->stopping = true;
    table_->changed.notify_all();
  }
  reaper_.detach();  // it may sit in waitid; the table lives as long as it does
}

Result<std::shared_ptr<Child>> Supervisor::start(const SpawnRequest& request, Streams streams) {
  SpawnRequest with_pipes = request;
  UniqueFd out_read;
  UniqueFd out_write;
  UniqueFd err_read;
  UniqueFd err_write;
  if (streams == Streams::capture) {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) < 0) return fail_errno(errno, "make a pipe");
    out_read.reset(fds[0]);
    out_write.reset(fds[1]);
    if (::pipe2(fds, O_CLOEXEC) < 0) return fail_errno(errno, "make a pipe");
    err_read.reset(fds[0]);
    err_write.reset(fds[1]);
    with_pipes.output = out_write.get();
    with_pipes.error = err_write.get();
  }
  auto process = std::make_shared<Process>(streams == Streams::capture);
  process->reads_from(std::move(out_read), std::move(err_read));
  {
    std::lock_guard lock(table_->mutex);
    TRY(const int pid, spawn(with_pipes));
    process->started(pid);
    table_->running[pid] = process;
    table_->changed.notify_all();
  }
  if (streams == Streams::capture) {
    std::thread([process] { process->read_streams(); }).detach();
  }
  return process;
}

}  // namespace heddle::process
