#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace heddle::traffic {

using Time = std::chrono::steady_clock::time_point;
using Milliseconds = std::chrono::milliseconds;

// One thread that waits on descriptors and timers (epoll(7)). SIGINT and SIGTERM end run(); what a
// load has measured until then is its result.
class Loop final {
 public:
  using Callback = std::function<void()>;
  static Result<std::unique_ptr<Loop>> create();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // `events`: EPOLLIN, EPOLLOUT. Errors and hang-ups call back too. The descriptor is borrowed
  // until forget(); a callback may forget or watch any descriptor.
  void watch(int fd, std::uint32_t events, std::function<void(std::uint32_t)> ready);
  void change(int fd, std::uint32_t events);
  void forget(int fd);

  std::uint64_t at(Time when, Callback callback);  // once; the number cancels it
  void cancel(std::uint64_t timer);
  void every(std::chrono::nanoseconds period, Callback callback);  // until run() ends

  void run();  // until stop() or a signal
  void stop() { stopped_ = true; }
  bool interrupted() const { return interrupted_; }

 private:
  Loop(UniqueFd epoll, UniqueFd signals);
  void run_timers();
  int wait_time() const;

  using Ready = std::function<void(std::uint32_t)>;
  UniqueFd epoll_;
  UniqueFd signals_;
  std::map<int, std::shared_ptr<Ready>> watched_;
  std::multimap<Time, std::pair<std::uint64_t, Callback>> timers_;
  std::uint64_t next_timer_ = 1;
  bool stopped_ = false;
  bool interrupted_ = false;
};

}  // namespace heddle::traffic
