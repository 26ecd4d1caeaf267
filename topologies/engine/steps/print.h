#pragma once
#include <iosfwd>
#include <string>

#include "topologies/engine/steps/runner.h"

namespace heddle::steps {

// Prints a run for a person: each step's number, what is done, the command, what came of it, its
// time. Control characters of commands' output are made visible.
class Printer final : public Listener {
 public:
  enum class Colour { no, yes };
  Printer(std::ostream& out, Colour colour) : out_(out), colour_(colour) {}
  void started(const StepReport& step) override;
  void finished(const StepReport& step) override;

 private:
  void print_output(const StepReport& step);
  std::string paint(const char* code, const std::string& text) const;
  std::ostream& out_;
  Colour colour_;
};

// Says nothing: for `--format json`.
class Silent final : public Listener {
 public:
  void started(const StepReport&) override {}
  void finished(const StepReport&) override {}
};

std::string format_json(const std::string& lab, const RunReport& run);
std::string format_summary(const std::string& lab, const RunReport& run);
std::string format_seconds(std::chrono::milliseconds time);

}  // namespace heddle::steps
