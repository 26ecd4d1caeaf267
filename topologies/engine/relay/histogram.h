#pragma once
#include <array>
#include <chrono>
#include <cstdint>

namespace heddle::relay {

// Times, kept with an error of at most 1/16 of themselves (and 1/16 µs), up to 2^47 ns.
class Histogram final {
 public:
  void add(std::chrono::nanoseconds time);
  void merge(const Histogram& other);

  std::uint64_t count() const { return count_; }
  std::chrono::nanoseconds max() const { return max_; }
  // The time that `share` (0 to 1) of all were at most, rounded up; 0 when there are none.
  std::chrono::nanoseconds quantile(double share) const;

 private:
  static constexpr int kSteps = 16;  // in each power of two
  static constexpr int kPowers = 44;
  static std::size_t place_of(std::uint64_t ns);
  static std::uint64_t end_of(std::size_t place);
  std::array<std::uint64_t, kSteps * kPowers> counts_{};
  std::uint64_t count_ = 0;
  std::chrono::nanoseconds max_{0};
};

}  // namespace heddle::relay
