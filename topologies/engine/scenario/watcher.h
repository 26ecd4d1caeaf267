#pragma once
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "topologies/engine/checks/watch.h"
#include "topologies/engine/scenario/probe_command.h"
#include "topologies/engine/steps/runner.h"

namespace heddle::scenario {

// Looks of all checks, each from each of its places, by probes that run there in the background.
// Nothing waits: poll() asks what they have printed since the last one.
// Threads: one at a time.
class Watcher final {
 public:
  using Milliseconds = std::chrono::milliseconds;
  using Time = std::chrono::steady_clock::time_point;
  struct Told {
    const format::Check& check;
    const std::string& place;
    checks::Watch::Change change;
    checks::Look look;
    const checks::Watch& watch;
  };
  using OnChange = std::function<void(const Told&)>;

  Watcher(const format::Lab& lab, const steps::Variables& variables, steps::LabControl& control,
          OnChange on_change);

  void begin(Time start);  // of the timeline: `always`, `never`, `sometimes`
  void begin_after();      // and of what comes after it: `eventually`
  // At most one probe is started in it, which takes its time on a busy machine: faults do not wait.
  void poll();
  void end(Milliseconds at);  // the timeline has: its probes are stopped
  void stop();                // all of them

  // Each look of the timeline's checks has been made once since then.
  bool all_looked_since(Milliseconds time) const;
  // Nothing is to be waited for any more: what has to hold eventually did, or its time is over.
  bool all_settled() const;
  // The longest that a look may take, from its begin to its being heard of.
  Milliseconds longest_look() const;

  struct Result {
    const format::Check& check;
    std::string place;
    checks::Verdict verdict;
  };
  std::vector<Result> results() const;

 private:
  struct Probe {
    const format::Check& check;
    std::string on;
    Place place;
    std::string process;  // its name in the lab
    ProbeCommand command;
    checks::Watch watch;
    bool wanted = false;  // looks are to be made
    bool runs = false;
    Time started{};
    Time next{};  // when it is asked, or started again
    std::uint64_t read_bytes = 0;
    std::string rest;  // of a line
  };

  void launch(Probe& probe);
  void ask(Probe& probe);
  void read_lasting(Probe& probe, const control::ExecResult& result);
  void read_single(Probe& probe, const control::ExecResult& result);
  void ended(Probe& probe, const control::ExecResult& result);
  void halt(Probe& probe);
  void add(Probe& probe, const checks::Look& look);
  Milliseconds since_start(Time time) const;

  steps::LabControl& control_;
  OnChange on_change_;
  Time start_{};
  Milliseconds end_{0};
  std::deque<Probe> probes_;
  std::size_t cursor_ = 0;  // whose turn it is
};

}  // namespace heddle::scenario
