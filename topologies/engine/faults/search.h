#pragma once
#include "topologies/engine/faults/timeline.h"

namespace heddle::faults {

// Failures of a link or of a host or node that a lab may meet: each by itself, then every two
// together, the first `most` of those that are possible. They strike early in the timeline and
// stay.
struct Combinations {
  std::vector<std::vector<Occurrence>> all;
  std::size_t possible = 0;
};
Combinations single_and_pairwise(const format::Lab& lab, std::size_t most);

// The lab without looks from places that these take the power of: they say nothing. Checks that
// nobody is left to make are left out.
format::Lab without_dead_places(format::Lab lab, const std::vector<Occurrence>& occurrences);

}  // namespace heddle::faults
