#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "topologies/traffic/loop.h"

// What loads count. Pure: times are given.
namespace heddle::traffic {

// The longest time between two successes, the start counting as one, so that an outage shows even
// when nothing was reported as failed.
class Gaps final {
 public:
  explicit Gaps(Time start) : last_(start) {}
  void success(Time now);
  Milliseconds longest(Time end) const;  // an outage that still lasts counts until `end`

 private:
  Time last_;
  std::chrono::nanoseconds longest_{0};
};

// Durations with exact percentiles; keeps at most 1,000,000, then every further one only counts
// towards the maximum.
class Latencies final {
 public:
  void add(std::chrono::nanoseconds value);
  double percentile_ms(double percent) const;  // 0 when empty
  double max_ms() const { return static_cast<double>(max_.count()) / 1e6; }

 private:
  static constexpr std::size_t kMax = 1'000'000;
  mutable std::vector<std::chrono::nanoseconds> values_;
  mutable bool sorted_ = true;
  std::chrono::nanoseconds max_{0};
};

// Failures with their times: all are counted, the first 50 kept.
class Failures final {
 public:
  struct Failure {
    Milliseconds at;  // since the start
    std::string why;
  };
  void add(Milliseconds at, std::string why);
  std::uint64_t count() const { return count_; }
  const std::vector<Failure>& first_ones() const { return first_ones_; }
  Milliseconds span() const { return count_ ? last_ - first_ : Milliseconds(0); }
  std::optional<Milliseconds> last() const { return count_ ? std::optional(last_) : std::nullopt; }

 private:
  static constexpr std::size_t kKept = 50;
  std::uint64_t count_ = 0;
  Milliseconds first_{0};
  Milliseconds last_{0};
  std::vector<Failure> first_ones_;
};

// Arrivals of numbered packets: lost, late and doubled ones.
class Sequence final {
 public:
  void arrived(std::uint64_t number);  // numbers count from 0
  std::uint64_t unique() const { return unique_; }
  std::uint64_t duplicates() const { return duplicates_; }
  std::uint64_t reordered() const { return reordered_; }  // smaller than one seen before
  std::uint64_t highest_plus_one() const { return seen_end_; }

 private:
  static constexpr std::uint64_t kMaxNumber = 1ULL << 28;  // 32 MB of bits
  std::vector<bool> seen_;
  std::uint64_t seen_end_ = 0;
  std::uint64_t unique_ = 0;
  std::uint64_t duplicates_ = 0;
  std::uint64_t reordered_ = 0;
};

// When the n-th event of a steady rate is due.
class Pace final {
 public:
  Pace(Time start, double per_second) : start_(start), per_second_(per_second) {}
  std::uint64_t due_by(Time now) const;  // how many should have happened
  Time due_at(std::uint64_t n) const;

 private:
  Time start_;
  double per_second_;
};

// What a tcp-sink answers when a stream has ended. Only these programs read it, on one machine.
struct StreamVerdict {
  std::uint64_t bytes = 0;
  std::uint64_t wrong = 0;  // bytes that differ from the pattern
};

// The byte that a TCP stream has at an offset: a sink can check any piece without what came before.
inline std::uint8_t stream_byte(std::uint64_t offset) {
  std::uint64_t x = (offset >> 3) * 0x9e3779b97f4a7c15ULL;
  x ^= x >> 29;
  return static_cast<std::uint8_t>(x >> ((offset & 7) * 8));
}

}  // namespace heddle::traffic
