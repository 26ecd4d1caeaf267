#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "common/base/clock.h"
#include "proxy/balance/load.h"

namespace heddle::balance {

// When a target whose answers fail is left out for a while.
struct OutlierPolicy {
  std::uint32_t failures = 0;              // in a row; 0: never
  std::chrono::milliseconds base{30'000};  // the first time; each further time adds as much
  std::chrono::milliseconds most{300'000};
  double most_share = 0.1;  // of the group that may be out at once; one always may
  friend bool operator==(const OutlierPolicy&, const OutlierPolicy&) = default;
};

// What one answer says of its target. `others_out`: how many of the group's `members` are out
// already, asked only when it matters. True when the target has just been ejected. Threads: any.
template <class Count>
bool judge(Vitals& vitals, const OutlierPolicy& policy, bool success, Deadline now,
           std::size_t members, Count others_out) {
  const Vitals::Nanos at = Vitals::nanos(now);
  if (success) {
    constexpr Vitals::Nanos kFine = 100'000'000;  // cores need not fight over the last tenth
    if (at - kFine > vitals.last_success.load(std::memory_order_relaxed)) {
      vitals.last_success.store(at, std::memory_order_relaxed);
    }
    if (vitals.failures.load(std::memory_order_relaxed)) {
      vitals.failures.store(0, std::memory_order_relaxed);
    }
    // Well for as long as it was out last: what was before is forgotten.
    const std::uint32_t ejections = vitals.ejections.load(std::memory_order_relaxed);
    const Vitals::Nanos base = std::chrono::nanoseconds(policy.base).count();
    if (ejections && at > vitals.ejected_until.load(std::memory_order_relaxed) + base * ejections) {
      vitals.ejections.store(0, std::memory_order_relaxed);
    }
    return false;
  }
  const std::uint32_t failures = vitals.failures.fetch_add(1, std::memory_order_relaxed) + 1;
  if (policy.failures == 0 || failures < policy.failures) return false;
  if (vitals.ejected_until.load(std::memory_order_relaxed) > at) return false;
  const std::size_t out = others_out();
  const double after = static_cast<double>(out + 1) / static_cast<double>(members);
  if (out > 0 && after > policy.most_share) return false;
  const std::uint32_t times = vitals.ejections.fetch_add(1, std::memory_order_relaxed) + 1;
  const auto length = std::min<std::chrono::milliseconds>(policy.base * times, policy.most);
  vitals.ejected_until.store(at + std::chrono::nanoseconds(length).count(),
                             std::memory_order_relaxed);
  vitals.failures.store(0, std::memory_order_relaxed);
  return true;
}

}  // namespace heddle::balance
