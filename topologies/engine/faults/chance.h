#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

namespace heddle::faults {

// Numbers that a seed and a word decide, today as in ten years: a run is repeated by its seed.
// Words keep choices apart: one more fault in a file leaves those of the others as they were.
// Source: splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators").
class Chance final {
 public:
  Chance(std::uint64_t seed, std::string_view word);
  std::uint64_t next();
  std::uint64_t below(std::uint64_t bound);  // CHECKs bound > 0

  template <class T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  std::uint64_t state_;
};

}  // namespace heddle::faults
