#include "topologies/engine/process/supervisor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>

#include "common/base/check.h"
#include "common/base/unique_fd.h"

namespace heddle::process {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

// Shared by the child's owner, the reader and the reaper.
class Supervisor::Process final : public Child {
 public:
  Process(bool captured, OnEnded on_ended)
      : on_ended_(std::move(on_ended)), streams_open_(captured ? 2 : 0) {}

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
  Output output_since(std::uint64_t offset) const override {
    std::lock_guard lock(mutex_);
    const std::uint64_t from = std::max(offset, output_.dropped_bytes) - output_.dropped_bytes;
    const auto skipped = std::min<std::uint64_t>(from, output_.text.size());
    return {.text = output_.text.substr(static_cast<std::size_t>(skipped)),
            .dropped_bytes = output_.dropped_bytes + skipped};
  }

  void ended(int status) {
    std::lock_guard lock(mutex_);
    Ending ending;
    ending.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    ending.exit = ending.signal ? 128 + ending.signal : WEXITSTATUS(status);
    ending.time =
        std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - start_);
    if (on_ended_) on_ended_(ending);
    ending_ = ending;
    changed_.notify_all();
  }

  // Before the process starts: where it prints.
  void reads_from(UniqueFd out, UniqueFd err) {
    out_ = std::move(out);
    err_ = std::move(err);
  }

  std::array<int, 2> pipes() const { return {out_.get(), err_.get()}; }

  // Takes what stands in one of its pipes. False once nobody can write to it any more.
  bool read_pipe(int fd) {
    if (read_some(fd, fd == out_.get() ? output_ : error_)) return true;
    std::lock_guard lock(mutex_);
    --streams_open_;
    changed_.notify_all();
    return false;
  }

 private:
  static constexpr std::chrono::milliseconds kOutputGrace{5000};

  // Holds the mutex; from epoll it knows that read does not block.
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
  const OnEnded on_ended_;
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

  std::mutex pipes_mutex;
  std::map<int, std::shared_ptr<Process>> pipes;  // by descriptor, which its process keeps open
  UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  UniqueFd stop{::eventfd(0, EFD_CLOEXEC)};

  void reap_all();
  Result<> read_from(const std::shared_ptr<Process>& process);
  void forget(const std::shared_ptr<Process>& process);  // one that never started
  void read_all();
  void read_one(int fd);
};

Result<> Supervisor::Table::read_from(const std::shared_ptr<Process>& process) {
  std::lock_guard lock(pipes_mutex);
  for (const int fd : process->pipes()) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) < 0)
      return fail_errno(errno, "watch what a process prints");
    pipes[fd] = process;
  }
  return {};
}

void Supervisor::Table::forget(const std::shared_ptr<Process>& process) {
  std::lock_guard lock(pipes_mutex);
  for (const int fd : process->pipes()) {
    if (fd >= 0 && pipes.erase(fd)) ::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, fd, nullptr);
  }
}

void Supervisor::Table::read_one(int fd) {
  std::shared_ptr<Process> process;
  {
    std::lock_guard lock(pipes_mutex);
    const auto found = pipes.find(fd);
    if (found == pipes.end()) return;
    process = found->second;
  }
  if (process->read_pipe(fd)) return;
  std::lock_guard lock(pipes_mutex);
  ::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, fd, nullptr);
  pipes.erase(fd);
}

void Supervisor::Table::read_all() {
  std::array<epoll_event, 64> events;
  for (;;) {
    const int ready = ::epoll_wait(epoll.get(), events.data(), events.size(), -1);
    if (ready < 0 && errno != EINTR) return;
    for (int i = 0; i < ready; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == stop.get()) return;
      read_one(fd);
    }
  }
}

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
  CHECK(table_->epoll && table_->stop);
  epoll_event event{.events = EPOLLIN, .data = {.fd = table_->stop.get()}};
  CHECK(::epoll_ctl(table_->epoll.get(), EPOLL_CTL_ADD, table_->stop.get(), &event) == 0);
  reaper_ = std::thread([table = table_] { table->reap_all(); });
  reader_ = std::thread([table = table_] { table->read_all(); });
}

Supervisor::~Supervisor() {
  {
    std::lock_guard lock(table_->mutex);
    table_->stopping = true;
    table_->changed.notify_all();
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t told = ::write(table_->stop.get(), &one, sizeof one);
  reader_.join();
  reaper_.detach();  // it may sit in waitid; the table lives as long as it does
}

Result<std::shared_ptr<Child>> Supervisor::start(const SpawnRequest& request, Streams streams,
                                                 OnEnded on_ended) {
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
  auto process = std::make_shared<Process>(streams == Streams::capture, std::move(on_ended));
  process->reads_from(std::move(out_read), std::move(err_read));
  {
    std::lock_guard lock(table_->mutex);
    if (streams == Streams::capture) TRY_DO(table_->read_from(process));
    auto spawned = spawn(with_pipes);
    if (!spawned) {
      table_->forget(process);
      return std::unexpected(std::move(spawned).error());
    }
    const int pid = *spawned;
    process->started(pid);
    table_->running[pid] = process;
    table_->changed.notify_all();
  }
  return process;
}

}  // namespace heddle::process
