#include "proxy/http2/flood_guard.h"

#include <algorithm>

namespace heddle::http2 {

std::string_view metric_of(Flood flood) {
  switch (flood) {
#define X(name, metric) \
  case Flood::name:     \
    return metric;
    HEDDLE_HTTP2_FLOODS(X)
#undef X
  }
  return "http2_flood";
}

FloodGuard::FloodGuard(const Limits& limits) : limits_(limits) {
  for (std::size_t i = 0; i < kFloods; ++i) buckets_[i].left = limits.floods[i].burst;
}

bool FloodGuard::charge(Flood flood, Deadline now) {
  const auto index = static_cast<std::size_t>(flood);
  const Allowance& allowed = limits_.floods[index];
  Bucket& bucket = buckets_[index];
  if (bucket.at == Deadline::min()) bucket.at = now;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - bucket.at);
  bucket.at += seconds;
  const std::uint64_t work = flood == Flood::reset ? streams_ : data_;
  const std::uint64_t fresh = static_cast<std::uint64_t>(seconds.count()) * allowed.per_second +
                              (work - bucket.earned) * allowed.earned;
  bucket.earned = work;
  bucket.left = std::min<std::uint64_t>(bucket.left + fresh, allowed.burst);
  if (bucket.left == 0) return false;
  --bucket.left;
  return true;
}

}  // namespace heddle::http2
