#pragma once
#include <iosfwd>
#include <mutex>
#include <string>

#include "topologies/engine/scenario/run.h"
#include "topologies/engine/steps/print.h"

namespace heddle::scenario {

// Prints a run as it goes, for a person: steps, and the timeline's lines between them.
class Printer final : public Listener {
 public:
  Printer(std::ostream& out, steps::Printer::Colour colour)
      : out_(out), colour_(colour), steps_(out, colour) {}
  void started(const steps::StepReport& step) override;
  void finished(const steps::StepReport& step) override;
  void happened(const Entry& entry) override;

 private:
  std::mutex mutex_;
  std::ostream& out_;
  const steps::Printer::Colour colour_;
  steps::Printer steps_;
};

// Says nothing: for `--format json`, and for runs of many.
class Silent final : public Listener {
 public:
  void started(const steps::StepReport&) override {}
  void finished(const steps::StepReport&) override {}
  void happened(const Entry&) override {}
};

// After the run: one timeline of steps, faults and what the checks saw; each check; the verdict.
std::string format_result(const Report& report);
// `held`, or what failed first and why, on one line.
std::string format_verdict(const Report& report);
std::string format_json(const Report& report);
// As CI systems read it: a test case for each step and each check. Source: the schema of Jenkins'
// xUnit plugin, which GitLab, GitHub actions and Buildkite follow.
std::string format_junit(const Report& report);

}  // namespace heddle::scenario
