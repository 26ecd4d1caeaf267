#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>

#include "common/base/clock.h"

namespace heddle::control {

// How much an answered destination is used, counted by all cores and read by the control side.
// Threads: any.
class DestinationUse {
 public:
  void begin() {
    active_.fetch_add(1, std::memory_order_relaxed);
    touch();
  }
  void end() {
    touch();
    active_.fetch_sub(1, std::memory_order_relaxed);
  }
  bool is_active() const { return active_.load(std::memory_order_relaxed) > 0; }
  Deadline last() const {
    return Deadline(Deadline::duration(last_.load(std::memory_order_relaxed)));
  }
  void touch(Deadline now = std::chrono::steady_clock::now()) {
    last_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  }

 private:
  std::atomic<std::int64_t> last_{0};
  std::atomic<std::int32_t> active_{0};
};

// Counts as a use while it exists.
class ActiveUse {
 public:
  explicit ActiveUse(std::shared_ptr<DestinationUse> use) : use_(std::move(use)) {
    if (use_) use_->begin();
  }
  ~ActiveUse() {
    if (use_) use_->end();
  }
  ActiveUse(const ActiveUse&) = delete;
  ActiveUse& operator=(const ActiveUse&) = delete;

 private:
  const std::shared_ptr<DestinationUse> use_;
};

}  // namespace heddle::control
