#include "proxy/balance/maglev.h"

#include <algorithm>
#include <array>
#include <limits>

#include "proxy/balance/random.h"

namespace heddle::balance {
namespace {

// A hundred places for each target, as the paper advises; primes, so that each target's steps reach
// every place.
constexpr auto kSizes = std::to_array<std::uint32_t>({1021, 4093, 16381, 65537, 262139, 1048573});

std::uint32_t size_for(std::size_t members) {
  for (const std::uint32_t size : kSizes) {
    if (size >= 100 * members) return size;
  }
  return kSizes.back();
}

}  // namespace

void Maglev::build(std::span<Load* const> members) {
  constexpr auto kFree = std::numeric_limits<std::uint32_t>::max();
  members_.assign(members.begin(), members.end());
  const std::uint32_t size = size_for(members_.size());
  table_.assign(size, kFree);
  if (members_.empty()) return;
  // By identity, so that every proxy makes the same table, whatever order it heard of them in.
  std::ranges::sort(members_, {}, &Load::key);
  struct Walk {
    std::uint32_t at;
    std::uint32_t step;
    double credit;  // places that its weight lets it take this round
  };
  std::uint32_t most = 1;
  std::vector<Walk> walks;
  for (const Load* load : members_) {
    Random random(load->key);
    walks.push_back({static_cast<std::uint32_t>(random.below(size)),
                     static_cast<std::uint32_t>(random.below(size - 1) + 1), 0});
    most = std::max(most, load->weight);
  }
  std::uint32_t taken = 0;
  while (taken < size) {
    for (std::uint32_t i = 0; i < members_.size() && taken < size; ++i) {
      Walk& walk = walks[i];
      walk.credit += static_cast<double>(members_[i]->weight) / most;
      if (walk.credit < 1) continue;
      walk.credit -= 1;
      while (table_[walk.at] != kFree) walk.at = (walk.at + walk.step) % size;
      table_[walk.at] = i;
      ++taken;
    }
  }
}

}  // namespace heddle::balance
