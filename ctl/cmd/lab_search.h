#pragma once
#include "ctl/cmd/lab_once.h"

// Many runs of one lab, in search of what makes it fail. Each gives the exit status.
namespace heddle::cmd {

// Counts failures; run i has the seed first_seed + i.
struct Repeats {
  std::uint64_t first_seed = 0;
  unsigned runs = 1;
};
Result<int> repeat_runs(Context& context, const format::Lab& lab, const Repeats& repeats,
                        LabRuns& runs);

// After a run that did not hold: writes `<lab>.repro.lab.yml` beside the lab's file. kFailed.
Result<int> shrink_run(Context& context, const format::Lab& lab, scenario::Report failure,
                       LabRuns& runs);

// Every failure of a link, host or node, and every two, at most `limit`: which checks they break.
struct Search {
  std::uint64_t seed = 0;
  std::size_t limit = 0;
};
Result<int> search_failures(Context& context, const format::Lab& lab, const Search& search,
                            LabRuns& runs);

}  // namespace heddle::cmd
