#pragma once
#include <string>
#include <vector>

#include "topologies/engine/checks/watch.h"
#include "topologies/engine/format/lab.h"
#include "topologies/engine/steps/expect.h"

namespace heddle::scenario {

// A member, or a workload of its heddled: `h1/client`.
struct Place {
  std::string member;
  std::string workload;  // empty: the member itself
};
Place place_of(const std::string& on);

// What looks for a check. `lasting`: it goes on and prints a line for each look; else it is one
// look, which holds when it ends with 0.
struct ProbeCommand {
  std::vector<std::string> words;
  bool lasting = false;
  bool network_only = false;  // see control::Request
};
ProbeCommand probe_command(const format::Lab& lab, const format::Check& check, const Place& place,
                           const steps::Variables& variables);

// A line of a lasting probe; times of CLOCK_MONOTONIC. Nothing when it is none.
struct ProbeLine {
  std::chrono::microseconds from{0};
  std::chrono::microseconds to{0};
  bool held = false;
  std::string problem;
};
std::optional<ProbeLine> read_probe_line(const std::string& line);

}  // namespace heddle::scenario
