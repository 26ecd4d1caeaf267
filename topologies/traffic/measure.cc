#include "topologies/traffic/measure.h"

#include <algorithm>
#include <cmath>

namespace heddle::traffic {

void Gaps::success(Time now) {
  longest_ = std::max<std::chrono::nanoseconds>(longest_, now - last_);
  last_ = now;
}

Milliseconds Gaps::longest(Time end) const {
  return std::chrono::duration_cast<Milliseconds>(
      std::max<std::chrono::nanoseconds>(longest_, end - last_));
}

void Latencies::add(std::chrono::nanoseconds value) {
  max_ = std::max(max_, value);
  if (values_.size() >= kMax) return;
  values_.push_back(value);
  sorted_ = false;
}

double Latencies::percentile_ms(double percent) const {
  if (values_.empty()) return 0;
  if (!sorted_) std::ranges::sort(values_);
  sorted_ = true;
  const double rank = std::ceil(percent / 100 * static_cast<double>(values_.size()));
  const auto index = static_cast<std::size_t>(std::max(1.0, rank)) - 1;
  return static_cast<double>(values_[std::min(index, values_.size() - 1)].count()) / 1e6;
}

void Failures::add(Milliseconds at, std::string why) {
  if (count_++ == 0) first_ = at;
  last_ = at;
  if (first_ones_.size() < kKept) first_ones_.push_back({at, std::move(why)});
}

void Sequence::arrived(std::uint64_t number) {
  if (number >= kMaxNumber) return;  // not one of ours
  if (number >= seen_end_) {
    if (number >= seen_.size()) seen_.resize(std::max<std::uint64_t>(number + 1, seen_.size() * 2));
    seen_end_ = number + 1;
  } else if (!seen_[number]) {
    ++reordered_;
  }
  if (seen_[number]) {
    ++duplicates_;
    return;
  }
  seen_[number] = true;
  ++unique_;
}

std::uint64_t Pace::due_by(Time now) const {
  if (now < start_) return 0;
  return static_cast<std::uint64_t>(std::chrono::duration<double>(now - start_).count() *
                                    per_second_) +
         1;
}

Time Pace::due_at(std::uint64_t n) const {
  return start_ + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                      std::chrono::duration<double>(static_cast<double>(n) / per_second_));
}

}  // namespace heddle::traffic
