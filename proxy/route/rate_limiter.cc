#include "proxy/route/rate_limiter.h"

#include <algorithm>

#include "common/base/stable_hash.h"

namespace heddle::route {

RateLimiter::RateLimiter(const snapshot::RateLimit& config, std::uint64_t seed)
    : config_(config),
      interval_(std::max<std::int64_t>(1, static_cast<std::int64_t>(1e9 / config.per_second))),
      tolerance_(interval_ * (std::max<std::int64_t>(1, config.burst) - 1)),
      seed_(seed),
      buckets_(config.by == snapshot::RateLimit::By::source ? 2 * kRow : 1) {}

std::int64_t RateLimiter::wait_of(const Bucket& bucket, std::int64_t now) const {
  return bucket.load(std::memory_order_relaxed) - tolerance_ - now;
}

void RateLimiter::take(Bucket& bucket, std::int64_t now) const {
  std::int64_t full = bucket.load(std::memory_order_relaxed);
  while (!bucket.compare_exchange_weak(full, std::max(full, now) + interval_,
                                       std::memory_order_relaxed)) {
  }
}

std::optional<std::chrono::nanoseconds> RateLimiter::refuse(std::string_view source, Deadline now) {
  const std::int64_t at = std::chrono::nanoseconds(now.time_since_epoch()).count();
  if (buckets_.size() == 1) {
    // One exchange decides, so that cores together do not pass more than the rate.
    std::int64_t full = buckets_[0].load(std::memory_order_relaxed);
    while (true) {
      if (full - tolerance_ > at) return std::chrono::nanoseconds(full - tolerance_ - at);
      if (buckets_[0].compare_exchange_weak(full, std::max(full, at) + interval_,
                                            std::memory_order_relaxed)) {
        return std::nullopt;
      }
    }
  }
  std::uint64_t hash = stable_hash(source, seed_ ^ 0xcbf29ce484222325);
  hash ^= hash >> 29;
  hash *= 0xbf58476d1ce4e5b9;
  hash ^= hash >> 32;
  Bucket& first = buckets_[hash % kRow];
  Bucket& second = buckets_[kRow + (hash >> 32) % kRow];
  const std::int64_t wait = std::min(wait_of(first, at), wait_of(second, at));
  if (wait > 0) return std::chrono::nanoseconds(wait);
  take(first, at);
  take(second, at);
  return std::nullopt;
}

}  // namespace heddle::route
