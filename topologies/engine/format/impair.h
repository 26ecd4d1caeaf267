#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

// What a link does to packets, as values. Source of the terms: tc-netem(8), tc-tbf(8).
namespace heddle::format {

// How delays spread around their mean by `jitter`.
enum class Distribution { uniform, normal, pareto };

// One direction of a link. Shares are of packets, 0 to 1. In this order, as tc-netem has it: loss,
// corruption and duplication of the packets as they arrive, so that what happens to the n-th of
// them does not depend on how full a queue is; delay; a queue drained at `rate`.
struct Impairment {
  std::chrono::microseconds delay{0};
  std::chrono::microseconds jitter{0};  // uniform: at most so far from `delay`; normal: its sigma
  Distribution distribution = Distribution::uniform;
  double loss = 0;
  double loss_burst = 1;   // mean number of packets lost in a row; 1: each for itself
  double duplicate = 0;    // sent twice, the second right behind the first
  double corrupt = 0;      // one bit behind the Ethernet header is flipped
  double reorder = 0;      // leaves at once, before those that are being delayed; needs `delay`
  std::uint64_t rate = 0;  // bits a second, counted with the Ethernet header; 0: as fast as it goes
  std::uint32_t limit = 0;  // packets that wait at most, for `rate` and for `delay`; 0: kWaiting

  bool empty() const { return *this == Impairment{}; }
  friend bool operator==(const Impairment&, const Impairment&) = default;
};

// `forward`: from the link's first end to its second. Of a link to the underlay, or to a bridge,
// the first end is the host or node.
struct LinkImpairment {
  Impairment forward;
  Impairment backward;
  friend bool operator==(const LinkImpairment&, const LinkImpairment&) = default;
};

inline constexpr std::uint32_t kWaiting = 1'000;
inline constexpr std::uint32_t kMostWaiting = 1'000'000;
inline constexpr double kMostBurst = 10'000;
inline constexpr std::chrono::microseconds kMostDelay = std::chrono::seconds(60);

// One value as a file or a flag has it: `delay` `50ms`, `loss` `1%`, `rate` `10mbit`; the keys are
// those of the file, with `burst` for loss_burst.
// Errors: `invalid`: what the value must be. CHECKs that the key is one of those.
Result<> set_impairment(Impairment& impairment, std::string_view key, std::string_view text);

// Values that contradict each other, or say nothing without another.
struct Contradiction {
  std::string_view key;
  std::string text;
};
std::optional<Contradiction> find_contradiction(const Impairment& impairment);

// `delay 50ms jitter 5ms loss 1% burst 5`; empty for none.
std::string describe(const Impairment& impairment);

}  // namespace heddle::format
