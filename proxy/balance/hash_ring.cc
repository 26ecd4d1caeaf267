#include "proxy/balance/hash_ring.h"

#include "proxy/balance/random.h"

namespace heddle::balance {
namespace {

constexpr std::uint64_t kEach = 160;      // places of a target of the mean weight, as ketama has
constexpr std::uint64_t kMost = 1 << 16;  // places in all, as long as each target has one

}  // namespace

void HashRing::build(std::span<Load* const> members) {
  places_.clear();
  std::uint64_t sum = 0;
  for (const Load* load : members) sum += load->weight;
  const std::uint64_t total = std::min<std::uint64_t>(kEach * members.size(), kMost);
  for (Load* load : members) {
    const std::uint64_t count = std::max<std::uint64_t>(1, total * load->weight / sum);
    Random random(load->key);
    for (std::uint64_t i = 0; i < count; ++i) places_.emplace_back(random.next(), load);
  }
  std::ranges::sort(places_, {}, &Place::first);
}

}  // namespace heddle::balance
