#pragma once
#include <algorithm>
#include <mutex>

#include "common/base/clock.h"

namespace heddle::cluster {

// A token bucket for join attempts: secrets have 160 bits, so it guards the processor, not them.
// Threads: any.
class JoinLimit {
 public:
  explicit JoinLimit(const Clock& clock) : clock_(clock), at_(clock.steady()) {}

  bool admit() {
    const std::lock_guard lock(mutex_);
    const auto now = clock_.steady();
    left_ = std::min(kBurst, left_ + std::chrono::duration<double>(now - at_).count() * kPerSecond);
    at_ = now;
    if (left_ < 1) return false;
    left_ -= 1;
    return true;
  }

  static constexpr double kPerSecond = 20;
  static constexpr double kBurst = 100;

 private:
  const Clock& clock_;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point at_;
  double left_ = kBurst;
};

}  // namespace heddle::cluster
