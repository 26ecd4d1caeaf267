#pragma once
#include <atomic>
#include <chrono>
#include <thread>

namespace heddle::scenario {

// Measures how long a thread that wants to run has to wait: what happens to a lab's own processes
// on a machine that is too busy. Owns one thread.
class Heartbeat final {
 public:
  Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;
  ~Heartbeat();
  std::chrono::milliseconds take_worst();  // since the last call

 private:
  void beat();
  std::atomic<std::int64_t> worst_ms_{0};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace heddle::scenario
