#include "topologies/traffic/loop.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace heddle::traffic {

Result<std::unique_ptr<Loop>> Loop::create() {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return fail_errno(errno, "epoll_create1");
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  UniqueFd signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) return fail_errno(errno, "signalfd");
  return std::unique_ptr<Loop>(new Loop(std::move(epoll), std::move(signals)));
}

Loop::Loop(UniqueFd epoll, UniqueFd signals)
    : epoll_(std::move(epoll)), signals_(std::move(signals)) {
  watch(signals_.get(), EPOLLIN, [this](std::uint32_t) {
    interrupted_ = true;
    stop();
  });
}

void Loop::watch(int fd, std::uint32_t events, std::function<void(std::uint32_t)> ready) {
  epoll_event event{.events = events, .data = {.fd = fd}};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
  watched_[fd] = std::make_shared<Ready>(std::move(ready));
}

void Loop::change(int fd, std::uint32_t events) {
  epoll_event event{.events = events, .data = {.fd = fd}};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void Loop::forget(int fd) {
  if (watched_.erase(fd)) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

std::uint64_t Loop::at(Time when, Callback callback) {
  timers_.emplace(when, std::pair(next_timer_, std::move(callback)));
  return next_timer_++;
}

void Loop::cancel(std::uint64_t timer) {
  for (auto it = timers_.begin(); it != timers_.end(); ++it) {
    if (it->second.first != timer) continue;
    timers_.erase(it);
    return;
  }
}

void Loop::every(std::chrono::nanoseconds period, Callback callback) {
  const Time next = std::chrono::steady_clock::now() +
                    std::chrono::duration_cast<std::chrono::steady_clock::duration>(period);
  at(next, [this, period, callback = std::move(callback)] {
    callback();
    every(period, callback);
  });
}

int Loop::wait_time() const {
  if (timers_.empty()) return -1;
  const auto left = timers_.begin()->first - std::chrono::steady_clock::now();
  const auto ms = std::chrono::ceil<Milliseconds>(left).count();
  return ms < 0 ? 0 : static_cast<int>(std::min<std::int64_t>(ms, 60'000));
}

void Loop::run_timers() {
  const Time now = std::chrono::steady_clock::now();
  while (!stopped_ && !timers_.empty() && timers_.begin()->first <= now) {
    Callback callback = std::move(timers_.begin()->second.second);
    timers_.erase(timers_.begin());
    callback();
  }
}

void Loop::run() {
  std::array<epoll_event, 64> events;
  while (!stopped_) {
    const int count =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait_time());
    for (int i = 0; i < count && !stopped_; ++i) {
      const auto found = watched_.find(events[static_cast<std::size_t>(i)].data.fd);
      if (found == watched_.end()) continue;  // forgotten by a callback before it
      const std::shared_ptr<Ready> ready = found->second;
      (*ready)(events[static_cast<std::size_t>(i)].events);
    }
    run_timers();
  }
}

}  // namespace heddle::traffic
