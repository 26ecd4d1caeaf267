#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace heddle::mesh {

// A thread that runs pieces of work at their time, in order of it.
// Threads: any may post. Bounded by its callers: events and timers of a node's proxies.
class Worker final {
 public:
  using Time = std::chrono::steady_clock::time_point;

  Worker() : thread_([this] { run(); }) {}
  ~Worker() { stop(); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void post(std::function<void()> work) { at(std::chrono::steady_clock::now(), std::move(work)); }
  void at(Time time, std::function<void()> work);

  // Waits for the piece of work under way; what waits is dropped, also what is posted later.
  void stop();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;
  std::uint64_t next_order_ = 0;
  std::map<std::pair<Time, std::uint64_t>, std::function<void()>> queue_;
  std::thread thread_;
};

}  // namespace heddle::mesh
