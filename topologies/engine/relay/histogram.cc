#include "topologies/engine/relay/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace heddle::relay {

// Below 16 each value has its place; above, the four bits behind the first one tell places apart.
std::size_t Histogram::place_of(std::uint64_t ns) {
  if (ns < kSteps) return ns;
  const int power = std::bit_width(ns) - 5;  // 16 to 31: 0
  const auto step = static_cast<std::size_t>(ns >> power) - kSteps;
  const std::size_t place = static_cast<std::size_t>(power + 1) * kSteps + step;
  return std::min<std::size_t>(place, kSteps * kPowers - 1);
}

std::uint64_t Histogram::end_of(std::size_t place) {
  if (place < kSteps) return place;
  const std::size_t power = place / kSteps - 1;
  return ((kSteps + place % kSteps + 1) << power) - 1;
}

void Histogram::add(std::chrono::nanoseconds time) {
  time = std::max(time, std::chrono::nanoseconds(0));
  ++counts_[place_of(static_cast<std::uint64_t>(time.count()))];
  ++count_;
  max_ = std::max(max_, time);
}

void Histogram::merge(const Histogram& other) {
  for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

std::chrono::nanoseconds Histogram::quantile(double share) const {
  const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= wanted && seen > 0)
      return std::min(max_, std::chrono::nanoseconds(static_cast<std::int64_t>(end_of(i))));
  }
  return max_;
}

}  // namespace heddle::relay
