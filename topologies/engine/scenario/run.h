#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "topologies/engine/checks/watch.h"
#include "topologies/engine/faults/timeline.h"
#include "topologies/engine/steps/runner.h"

// A whole run of a deployed lab: its steps, its timeline of faults, and the checks beside it.
namespace heddle::scenario {

using Milliseconds = std::chrono::milliseconds;

// Something that happened on the timeline. Times count from its start.
struct Entry {
  enum class What { began, fault, undo, passed_over, problem, broke, recovered, held, ended };
  What what = What::began;
  Milliseconds at{0};
  std::string text;
  // What it is about: whom the fault hits (of links an end), where the check looks from.
  std::vector<std::string> on{};
  std::string fault{};  // `kill`, of a fault and its undoing
};
std::string_view name_of(Entry::What what);

// Hears of a run as it goes. Threads: the run's, and the timeline's beside its steps.
class Listener : public steps::Listener {
 public:
  virtual void happened(const Entry& entry) = 0;
};

struct CheckReport {
  std::string name;
  std::string place;
  std::string when;  // `always`, `eventually within 3 s`
  checks::Verdict verdict;
};

// How far the machine fell behind while the timeline ran; broken bounds as sentences.
struct Fidelity {
  Milliseconds worst_stall{0};
  std::chrono::microseconds worst_delay_error{0};
  std::vector<std::string> broken;
};

struct Report {
  std::string lab;
  std::uint64_t seed = 0;
  Milliseconds time{0};  // all of it
  steps::RunReport steps;
  std::optional<Milliseconds> began;  // the timeline, since the run did
  Milliseconds lasted{0};             // and how long
  std::vector<faults::Occurrence> occurrences;
  std::vector<Entry> entries;
  std::vector<CheckReport> checks;
  std::vector<std::string> problems;  // faults that could not be made
  std::vector<std::string> missing;   // of those: what this machine lacks for them
  Fidelity fidelity;
  bool held = false;  // steps, checks and faults
  bool skipped() const { return !missing.empty(); }
  bool valid() const { return fidelity.broken.empty(); }
  bool passed() const { return held && valid(); }
  // What failed first, in words that are the same in another run: `check web answers`.
  std::string failure() const;
};

struct Settings {
  std::uint64_t seed = 0;
  steps::Variables variables;  // the built-in ones
  // The longest that a thread of this program was kept from running since it was asked last;
  // a seam for tests.
  std::function<Milliseconds()> take_worst_stall;
};

Report run(const format::Lab& lab, Settings settings, steps::LabControl& control,
           Listener& listener);

}  // namespace heddle::scenario
