#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "common/base/clock.h"
#include "proxy/http2/limits.h"

namespace heddle::http2 {

std::string_view metric_of(Flood flood);

// Counts what a peer makes us do for nothing. Threads: its owner's.
class FloodGuard {
 public:
  explicit FloodGuard(const Limits& limits);

  // False: that was one too many.
  bool charge(Flood flood, Deadline now);
  void earn_data() { ++data_; }
  void earn_stream() { ++streams_; }

 private:
  struct Bucket {
    std::uint64_t left = 0;
    std::uint64_t earned = 0;  // work that was counted already
    Deadline at = Deadline::min();
  };
  const Limits& limits_;
  std::array<Bucket, kFloods> buckets_;
  std::uint64_t data_ = 0;
  std::uint64_t streams_ = 0;
};

}  // namespace heddle::http2
