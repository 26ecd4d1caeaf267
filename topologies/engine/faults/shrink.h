#pragma once
#include <functional>

#include "topologies/engine/faults/timeline.h"

// Finds the cause of a failure among the faults of a run. Pure but for the runs, which the caller
// makes.
namespace heddle::faults {

using Occurrences = std::vector<Occurrence>;
// Whether a run with just these faults fails as the first one did.
// Errors end the search, with what was found until then.
using StillFails = std::function<Result<bool>(const Occurrences& occurrences)>;

struct Shrunk {
  Occurrences occurrences;  // they failed at their last run
  std::size_t runs = 0;
  bool whole = true;  // the bound of runs was not reached, no error
};

// The fewest faults that still fail, in that none of them can be left out (Zeller, Hildebrandt:
// "Simplifying and isolating failure-inducing input", ddmin); of what is left, the fewest targets,
// and each as short as it may be, by halving. At most `max_runs`.
Shrunk shrink(Occurrences occurrences, const StillFails& still_fails, std::size_t max_runs);

}  // namespace heddle::faults
