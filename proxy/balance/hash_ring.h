#pragma once
#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "proxy/balance/load.h"

namespace heddle::balance {

// Consistent hashing (Karger 1997): each target stands at many places of a ring, in proportion to
// its weight, and a key belongs to the first place after it.
class HashRing {
 public:
  void build(std::span<Load* const> members);

  // The first after `hash` of which `good` holds; nullptr if there is none.
  template <class Good>
  Load* find(std::uint64_t hash, Good good) const {
    const auto begin = std::ranges::lower_bound(places_, hash, {}, &Place::first);
    for (std::size_t i = 0; i < places_.size(); ++i) {
      const auto at = static_cast<std::size_t>(begin - places_.begin()) + i;
      Load* load = places_[at % places_.size()].second;
      if (good(*load)) return load;
    }
    return nullptr;
  }

 private:
  using Place = std::pair<std::uint64_t, Load*>;
  std::vector<Place> places_;  // by hash
};

}  // namespace heddle::balance
