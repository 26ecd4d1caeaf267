#pragma once
#include <mutex>
#include <string>
#include <vector>

#include "topologies/engine/faults/ledger.h"
#include "topologies/engine/steps/runner.h"

namespace heddle::scenario {

// Makes faults and undoes them, through the ledger, which knows what is broken already.
// Threads: any; one fault at a time.
class Disturber final {
 public:
  Disturber(const format::Lab& lab, std::uint64_t seed, steps::LabControl& control)
      : lab_(lab), seed_(seed), control_(control), ledger_(lab) {}

  struct Done {
    std::vector<std::string> passed_over;
    std::vector<std::string> problems;
  };
  Done strike(faults::Holder holder, const faults::Occurrence& occurrence);
  Done undo(faults::Holder holder, const faults::Occurrence& occurrence);

  // Of steps, where what is passed over is a problem: nobody else was to be first.
  std::vector<std::string> strike_now(const format::FaultAction& action, const format::Target& on);
  std::vector<std::string> start(const std::vector<std::string>& names);
  std::vector<std::string> mend(const format::MendAction& action);

  // What this machine lacks for faults that were to be made. After the last of them.
  const std::vector<std::string>& missing() const { return missing_; }

 private:
  Done carry_out(faults::Ledger::Decision decision);
  const format::Lab& lab_;
  const std::uint64_t seed_;
  steps::LabControl& control_;
  std::mutex mutex_;
  faults::Ledger ledger_;
  std::vector<std::string> missing_;
  faults::Holder next_step_ = 1ULL << 32;  // occurrences of the timeline are below
};

}  // namespace heddle::scenario
