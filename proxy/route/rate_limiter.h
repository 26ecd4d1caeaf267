#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "proxy/snapshot/config.h"

namespace heddle::route {

// How much of a rate is used up, for all cores together: the generic cell rate algorithm (ITU-T
// I.371), which needs one number. Limits by source keep a fixed number of buckets, two for each
// address, so that memory does not follow the number of clients: a client is refused when both of
// its buckets are empty, which strangers' traffic alone rarely does. Threads: any.
class RateLimiter {
 public:
  RateLimiter(const snapshot::RateLimit& config, std::uint64_t seed);

  const snapshot::RateLimit& config() const { return config_; }
  // nullopt: go on. Else how long until the next request would pass.
  std::optional<std::chrono::nanoseconds> refuse(std::string_view source, Deadline now);

 private:
  // When the bucket will be full again, on the steady clock in nanoseconds.
  using Bucket = std::atomic<std::int64_t>;
  static constexpr std::size_t kRow = 4096;  // buckets of one of the two rows

  std::int64_t wait_of(const Bucket& bucket, std::int64_t now) const;
  void take(Bucket& bucket, std::int64_t now) const;

  const snapshot::RateLimit config_;
  const std::int64_t interval_;   // nanoseconds that one request costs
  const std::int64_t tolerance_;  // that a bucket may be ahead
  const std::uint64_t seed_;      // strangers must not be able to choose their buckets
  std::vector<Bucket> buckets_;
};

}  // namespace heddle::route
