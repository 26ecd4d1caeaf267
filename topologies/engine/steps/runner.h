#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "topologies/engine/control/channel.h"
#include "topologies/engine/format/lab.h"
#include "topologies/engine/steps/expect.h"

namespace heddle::steps {

// A deployed lab, as the runner sees it; the seam for tests.
// Threads: any, several at once.
class LabControl {
 public:
  virtual ~LabControl() = default;
  virtual Result<control::Reply> ask(const control::Request& request) = 0;
  virtual std::chrono::steady_clock::time_point now() = 0;
  virtual void pause(std::chrono::milliseconds time) = 0;
};

class RemoteLab final : public LabControl {
 public:
  explicit RemoteLab(std::string socket) : client_(std::move(socket)) {}
  Result<control::Reply> ask(const control::Request& request) override {
    return client_.ask(request);
  }
  std::chrono::steady_clock::time_point now() override { return std::chrono::steady_clock::now(); }
  void pause(std::chrono::milliseconds time) override;

 private:
  control::Client client_;
};

// What steps do to a lab as a whole: faults, and the timeline of them beside which checks are
// watched. Each gives what went wrong, as sentences.
class Disturbances {
 public:
  using Problems = std::vector<std::string>;
  virtual ~Disturbances() = default;
  virtual Problems strike(const format::FaultAction& action, const format::Target& on) = 0;
  virtual Problems start(const std::vector<std::string>& names) = 0;  // power back
  virtual Problems mend(const format::MendAction& action) = 0;
  // `variables`: what checks may use.
  virtual Problems timeline(format::TimelineAction::What what, const Variables& variables) = 0;
};

struct StepReport {
  std::size_t number = 0;  // from 1
  std::size_t total = 0;
  std::string name;
  std::string place;    // where; empty for faults
  std::string command;  // as it ran, or the fault in words
  std::string fault{};  // `kill`, `mend`: of a step that is one
  std::string hit{};    // whom; several with `, ` between them
  bool passed = false;
  std::vector<std::string> problems;
  std::chrono::milliseconds at{0};  // it began, since the run did
  std::chrono::milliseconds time{0};
  int tries = 1;       // of `eventually`
  std::string output;  // of the last try
  int exit = 0;
  std::vector<std::string> facts;  // claimed_values(), with the place when there are several
};

// Hears of a run as it goes. Threads: the runner's.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual void started(const StepReport& step) = 0;  // name, place and command are set
  virtual void finished(const StepReport& step) = 0;
};

struct RunReport {
  std::vector<StepReport> steps;  // up to the first that failed
  std::size_t total = 0;
  bool passed = false;
  std::chrono::milliseconds time{0};
  Variables variables;  // the built-in ones and what was captured
};

// Runs a lab's steps in order and stops at the first that does not hold.
// `variables`: the built-in ones (plan::built_in_variables).
RunReport run_steps(const format::Lab& lab, Variables variables, LabControl& control,
                    Disturbances& disturbances, Listener& listener);

}  // namespace heddle::steps
