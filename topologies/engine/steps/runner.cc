#include "topologies/engine/steps/runner.h"

#include <algorithm>
#include <future>
#include <thread>

namespace heddle::steps {
namespace {

using control::ExecResult;
using control::Op;
using std::chrono::milliseconds;

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

// Runs one step and fills in its report.
class StepRun {
 public:
  StepRun(const format::Step& step, Variables& variables, LabControl& control,
          Disturbances& disturbances, StepReport& report)
      : step_(step),
        variables_(variables),
        control_(control),
        disturbances_(disturbances),
        report_(report) {}

  // What is going to be done, before it is.
  void describe() {
    std::visit([&](const auto& action) { describe(action); }, step_.action);
  }

  void run() {
    const auto start = control_.now();
    std::visit([&](const auto& action) { run(action); }, step_.action);
    report_.time = std::chrono::duration_cast<milliseconds>(control_.now() - start);
    report_.passed = report_.problems.empty();
  }

 private:
  void does(std::string_view fault, const std::vector<std::string>& names) {
    report_.fault = fault;
    report_.hit = joined(names);
  }
  void describe(const format::RunAction& action) {
    report_.place = joined(action.on);
    report_.command = expand_known(action.shown, variables_);
    if (!action.background.empty()) report_.command += "   (goes on as " + action.background + ")";
  }
  void describe(const format::StopAction& action) { report_.command = "stop " + action.background; }
  void describe(const format::AwaitAction& action) {
    report_.command = "wait for the end of " + action.background;
  }
  void describe(const format::KillAction& action) {
    does("kill", action.hosts);
    report_.command = "cut the power of " + report_.hit;
  }
  void describe(const format::StartAction& action) {
    does("start", action.hosts);
    report_.command = "switch " + report_.hit + " on";
  }
  void describe(const format::KillDaemonAction& action) {
    does("kill-daemon", action.hosts);
    report_.command = "kill -9 heddled on " + report_.hit;
  }
  void describe(const format::RestartDaemonAction& action) {
    does("restart-daemon", action.hosts);
    report_.command = "start heddled again on " + report_.hit;
  }
  void describe(const format::PauseAction& action) {
    report_.command = "wait " + std::to_string(action.time.count()) + " ms";
  }

  void describe(const format::FaultStep& action) {
    does(format::name_of(action.action), action.on.names);
    report_.command = report_.fault;
    if (action.on.how != format::Target::How::named) report_.command += ", as the seed chooses";
    if (!action.on.names.empty()) report_.command += " " + joined(action.on.names);
  }
  void describe(const format::MendAction& action) {
    using What = format::MendAction::What;
    does(action.what == What::partition ? "heal"
         : action.what == What::cut     ? "mend"
         : action.what == What::freeze  ? "resume"
                                        : "clear",
         action.names);
    report_.command = action.what == What::partition ? "heal all partitions"
                      : action.what == What::cut     ? "mend " + joined(action.names)
                      : action.what == What::freeze  ? "let " + joined(action.names) + " go on"
                                                     : "free the disk of " + joined(action.names);
  }
  void describe(const format::TimelineAction& action) {
    using What = format::TimelineAction::What;
    report_.command = action.what == What::start   ? "begin the timeline of faults"
                      : action.what == What::await ? "wait for the end of the timeline"
                                                   : "run the timeline of faults";
  }

  void run(const format::RunAction& action) {
    if (!action.background.empty()) {
      change({.op = Op::exec,
              .target = action.on.front(),
              .command = expanded(action.command),
              .background = action.background});
      return;
    }
    const auto deadline = control_.now() + step_.eventually.value_or(milliseconds(0));
    for (report_.tries = 1;; ++report_.tries) {
      run_everywhere(action);
      if (report_.problems.empty() || control_.now() >= deadline) break;
      control_.pause(step_.every);
    }
    if (!report_.problems.empty() && step_.eventually)
      report_.problems.push_back("still so after " + std::to_string(step_.eventually->count()) +
                                 " ms and " + std::to_string(report_.tries) + " tries");
  }

  // On each place at the same time.
  void run_everywhere(const format::RunAction& action) {
    report_.problems.clear();
    report_.output.clear();
    report_.facts.clear();
    std::vector<std::future<Result<ExecResult>>> running;
    for (const std::string& place : action.on) {
      running.push_back(std::async(std::launch::async, [this, &action, place] {
        return exec({.op = Op::exec,
                     .target = place,
                     .command = expanded(action.command),
                     .background = "",
                     .timeout = action.timeout});
      }));
    }
    for (std::size_t i = 0; i < running.size(); ++i) {
      const std::string prefix = running.size() > 1 ? action.on[i] + ": " : "";
      judge(running[i].get(), prefix);
    }
  }

  void run(const format::StopAction& action) {
    judge(exec({.op = Op::stop,
                .target = action.background,
                .command = {},
                .background = "",
                .timeout = action.timeout}),
          "");
  }
  void run(const format::AwaitAction& action) {
    judge(exec({.op = Op::await,
                .target = action.background,
                .command = {},
                .background = "",
                .timeout = action.timeout}),
          "");
  }
  void run(const format::KillAction& action) { strike(format::fault::Kill{}, action.hosts); }
  void run(const format::StartAction& action) {
    report_.problems = disturbances_.start(action.hosts);
  }
  void run(const format::KillDaemonAction& action) {
    strike(format::fault::KillDaemon{}, action.hosts);
  }
  void run(const format::RestartDaemonAction& action) {
    strike(format::fault::RestartDaemon{}, action.hosts);
  }
  void run(const format::FaultStep& action) {
    report_.problems = disturbances_.strike(action.action, action.on);
  }
  void run(const format::MendAction& action) { report_.problems = disturbances_.mend(action); }
  void run(const format::TimelineAction& action) {
    report_.problems = disturbances_.timeline(action.what, variables_);
  }
  void run(const format::PauseAction& action) { control_.pause(action.time); }

  void strike(const format::FaultAction& action, const std::vector<std::string>& names) {
    report_.problems =
        disturbances_.strike(action, {.how = format::Target::How::named, .names = names});
  }
  void change(const control::Request& request) {
    auto reply = control_.ask(request);
    if (!reply) report_.problems.push_back(reply.error().text());
  }

  Result<ExecResult> exec(const control::Request& request) {
    TRY(control::Reply reply, control_.ask(request));
    if (!reply.result) return fail(Errc::internal, "the lab's daemon sent no result");
    return *std::move(reply.result);
  }

  void judge(Result<ExecResult> result, const std::string& prefix) {
    if (!result) {
      report_.problems.push_back(prefix + result.error().text());
      return;
    }
    report_.exit = result->exit;
    for (const std::string& problem : broken_claims(step_.expect, *result, variables_))
      report_.problems.push_back(prefix + problem);
    for (const std::string& fact : claimed_values(step_.expect, result->out))
      report_.facts.push_back(prefix + fact);
    append_output(*result, prefix);
    if (!report_.problems.empty()) return;
    auto captured = capture(step_.captures, result->out);
    if (!captured) {
      report_.problems.push_back(captured.error().text());
      return;
    }
    for (auto& [name, value] : *captured) variables_[name] = std::move(value);
  }

  void append_output(const ExecResult& result, const std::string& prefix) {
    if (result.dropped_bytes)
      report_.output += "(" + std::to_string(result.dropped_bytes) + " bytes left out)\n";
    for (const std::string* text : {&result.out, &result.err}) {
      for (std::size_t at = 0; at < text->size();) {
        const std::size_t end = std::min(text->find('\n', at), text->size());
        report_.output += prefix + text->substr(at, end - at) + "\n";
        at = end + 1;
      }
    }
  }

  std::vector<std::string> expanded(const std::vector<std::string>& command) const {
    std::vector<std::string> out;
    for (const std::string& word : command) out.push_back(expand_known(word, variables_));
    return out;
  }

  const format::Step& step_;
  Variables& variables_;
  LabControl& control_;
  Disturbances& disturbances_;
  StepReport& report_;
};

}  // namespace

void RemoteLab::pause(std::chrono::milliseconds time) {
  std::this_thread::sleep_for(time);
}

RunReport run_steps(const format::Lab& lab, Variables variables, LabControl& control,
                    Disturbances& disturbances, Listener& listener) {
  RunReport run;
  run.total = lab.steps.size();
  run.passed = true;
  const auto start = control.now();
  for (const format::Step& step : lab.steps) {
    StepReport report;
    report.number = run.steps.size() + 1;
    report.total = run.total;
    report.at = std::chrono::duration_cast<milliseconds>(control.now() - start);
    StepRun execution(step, variables, control, disturbances, report);
    execution.describe();
    report.name = step.name.empty() ? report.command.substr(0, report.command.find('\n'))
                                    : expand_known(step.name, variables);
    listener.started(report);
    execution.run();
    listener.finished(report);
    run.passed = report.passed;
    run.steps.push_back(std::move(report));
    if (!run.passed) break;
  }
  run.time = std::chrono::duration_cast<milliseconds>(control.now() - start);
  run.variables = std::move(variables);
  return run;
}

}  // namespace heddle::steps
