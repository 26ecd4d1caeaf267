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

// What a terminal may get: one line without control characters, cut where it is very long.
std::string printable(const std::string& line);
std::string format_seconds(std::chrono::milliseconds time);

}  // namespace heddle::steps
