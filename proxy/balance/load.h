#pragma once
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>

#include "common/base/clock.h"

namespace heddle::balance {

// What all cores know of one target: written by whoever learns it, read at each choice.
// Threads: any.
struct Vitals {
  using Nanos = std::int64_t;  // on the steady clock
  static constexpr Nanos kNever = std::numeric_limits<Nanos>::min();

  std::atomic<bool> healthy{true};           // active checks say so
  std::atomic<Nanos> ejected_until{kNever};  // by what its answers were like
  std::atomic<Nanos> last_success{kNever};
  std::atomic<std::uint32_t> failures{0};   // in a row
  std::atomic<std::uint32_t> ejections{0};  // lately; each lasts longer

  static Nanos nanos(Deadline at) {
    return std::chrono::nanoseconds(at.time_since_epoch()).count();
  }
};

// What a choice looks at. Lives in the target; one core owns it.
struct Load {
  std::uint32_t weight = 1;
  std::uint32_t in_flight = 0;
  std::uint32_t level = 0;                   // lower ones first, while enough of them are good
  std::uint32_t position = 0;                // among its group's targets
  std::uint64_t key = 0;                     // by which hashing knows it, on every proxy the same
  bool ready = true;                         // takes new requests
  Deadline failing_until = Deadline::min();  // a connect failed: last choice until then
  Deadline ready_since = Deadline::min();    // slow start begins here
  double turn = -1;                          // when it is next, in round robin's own time
  std::shared_ptr<const Vitals> vitals;      // nullptr: nobody else knows anything

  bool is_well(Deadline now) const {
    if (!ready || failing_until > now) return false;
    return !vitals || (vitals->healthy.load(std::memory_order_relaxed) &&
                       vitals->ejected_until.load(std::memory_order_relaxed) <= Vitals::nanos(now));
  }

  // Peak EWMA (Finagle): rises to a slow answer at once, and forgets it over seconds.
  void observe(std::chrono::nanoseconds latency, Deadline now) {
    const double seconds = std::chrono::duration<double>(latency).count();
    const double kept = decay(now);
    const double mean = latency_ * kept + seconds * (1 - kept);
    latency_ = seconds > latency_ * kept ? seconds : mean;
    observed_ = now;
  }
  // In seconds; 0 while nothing is known. Without answers it sinks, so that a slow one is tried
  // again.
  double latency_at(Deadline now) const { return latency_ * decay(now); }

 private:
  static constexpr double kForgetting = 10;  // seconds
  double decay(Deadline now) const {
    if (latency_ == 0 || now <= observed_) return 1;
    return std::exp(-std::chrono::duration<double>(now - observed_).count() / kForgetting);
  }
  double latency_ = 0;
  Deadline observed_ = Deadline::min();
};

}  // namespace heddle::balance
