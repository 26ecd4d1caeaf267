#pragma once
#include <chrono>
#include <cstdint>

// What a link does to packets, as values. Source of the terms: tc-netem(8), tc-tbf(8).
namespace heddle::format {

// How delays spread around their mean by `jitter`.
enum class Distribution { uniform, normal, pareto };

// One direction of a link. Shares are of packets, 0 to 1. In this order: a queue of `limit` packets
// drained at `rate`; loss, corruption and duplication of what leaves it; delay of what is left.
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
  std::uint32_t limit = 0;  // packets that wait at most, for `rate` or `delay`; 0: 1,000

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

}  // namespace heddle::format
