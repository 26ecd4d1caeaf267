#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>

namespace heddle::listener {

// How long a body may still keep us waiting: never longer than `idle` for one byte, and over all no
// longer than `grace` plus what its bytes earn at `rate`. A slow body that trickles ends as well.
struct BodyPace {
  std::chrono::nanoseconds idle;
  std::chrono::nanoseconds grace;
  std::uint64_t rate = 1;  // bytes per second
  std::uint64_t bytes = 0;
  std::chrono::nanoseconds waited{};

  std::chrono::nanoseconds patience() const {
    // A day of credit is as good as more, and does not overflow.
    const auto seconds = std::min<std::uint64_t>(bytes / rate, 86400);
    const auto left = grace + std::chrono::seconds(seconds) - waited;
    return std::clamp<std::chrono::nanoseconds>(left, std::chrono::nanoseconds(0), idle);
  }
};

}  // namespace heddle::listener
