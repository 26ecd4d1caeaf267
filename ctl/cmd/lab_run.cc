#include "ctl/cmd/lab_run.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <ostream>
#include <thread>

#include "ctl/cmd/labs.h"
#include "ctl/output/table.h"
#include "topologies/engine/plan/plan.h"
#include "topologies/engine/steps/print.h"
#include "topologies/engine/steps/runner.h"

namespace heddle::cmd {
namespace {

constexpr Flag kRunFlags[] = {{"--keep", "", "leave the lab as it is after the last step"},
                              kLabDir};

// Takes the lab away when the run is interrupted. The steps that are under way then fail; what they
// would print is of no interest any more.
class InterruptGuard {
 public:
  InterruptGuard() {
    sigemptyset(&signals_);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals_, number);
    ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }
  // `clean` runs on another thread, then the program ends with 128 + the signal's number.
  void watch(std::function<void()> clean) {
    std::thread([this, clean = std::move(clean)] {
      int number = 0;
      if (::sigwait(&signals_, &number) != 0) return;
      interrupted_ = true;
      clean();
      ::_exit(128 + number);
    }).detach();
  }
  // From here on nothing returns: the watching thread ends the program.
  void wait_if_interrupted() const {
    while (interrupted_) ::pause();
  }

 private:
  sigset_t signals_{};
  std::atomic<bool> interrupted_{false};
};

// A listener that goes silent once the run was interrupted.
class GuardedListener final : public steps::Listener {
 public:
  GuardedListener(steps::Listener& listener, const InterruptGuard& guard)
      : listener_(listener), guard_(guard) {}
  void started(const steps::StepReport& step) override { listener_.started(step); }
  void finished(const steps::StepReport& step) override {
    guard_.wait_if_interrupted();
    listener_.finished(step);
  }

 private:
  steps::Listener& listener_;
  const InterruptGuard& guard_;
};

// The ends of the hosts' logs: what somebody looks at first when a step has failed.
void print_logs(Context& context, const format::Lab& lab, const plan::LabPaths& paths) {
  constexpr std::streamoff kTail = 1500;
  for (const format::Host& host : lab.hosts) {
    std::ifstream file(paths.log(host.name), std::ios::ate);
    if (!host.daemon || !file) continue;
    const std::streamoff size = file.tellg();
    file.seekg(std::max<std::streamoff>(0, size - kTail));
    std::string line;
    if (size > kTail) std::getline(file, line);  // a part of a line
    context.err << "heddled on " << host.name << " (" << paths.log(host.name) << "):\n";
    while (std::getline(file, line)) context.err << "  | " << output::printable(line) << "\n";
  }
}

// deploy, steps, and destroy whatever happened.
Result<int> run(const Arguments& arguments, Context& context) {
  const std::string& file = arguments.text("FILE");
  const std::string& lab_dir = arguments.text("--lab-dir");
  const auto lab = format::load_lab(file);
  if (!lab) return failed(context, lab.error());
  print_warnings(context, *lab);
  const auto paths = lab::locate(lab->name, lab_dir);
  if (!paths) return failed(context, paths.error());
  if (lab::need_deployed(*paths))
    return failed(context, {Errc::exists, "lab " + lab->name +
                                              " is deployed already; take it down "
                                              "first: heddle lab destroy --name " +
                                              lab->name});

  const bool human = context.format == Format::table;
  ::signal(SIGPIPE, SIG_IGN);  // a reader that has gone must not leave the lab behind
  InterruptGuard guard;
  guard.watch([&] { (void)lab::destroy(*paths, [](const control::Progress&) {}); });
  if (human) context.out << "lab " << lab->name << ": deploy\n";
  const auto deployed =
      lab::deploy({.file = file, .lab_dir = lab_dir, .daemon = ""}, progress_to(context));
  guard.wait_if_interrupted();
  if (!deployed) return failed(context, deployed.error());

  steps::RemoteLab control(paths->socket());
  const auto colour =
      ::isatty(STDOUT_FILENO) ? steps::Printer::Colour::yes : steps::Printer::Colour::no;
  steps::Printer printer(context.out, colour);
  steps::Silent silent;
  GuardedListener listener(human ? static_cast<steps::Listener&>(printer) : silent, guard);
  const auto report =
      steps::run_steps(*lab, plan::built_in_variables(*lab, *paths), control, listener);
  if (!report.passed && human) print_logs(context, *lab, *paths);

  int status = report.passed ? kDone : kFailed;
  if (arguments.has("--keep")) {
    if (human)
      context.out << "\nlab " << lab->name
                  << " is left as it is; take it down: heddle lab "
                     "destroy --name "
                  << lab->name << "\n";
  } else {
    if (human) context.out << "\nlab " << lab->name << ": destroy\n";
    const auto destroyed = lab::destroy(*paths, progress_to(context));
    if (!destroyed) status = failed(context, destroyed.error());
  }
  context.out << (human ? "\n" + steps::format_summary(lab->name, report)
                        : steps::format_json(lab->name, report));
  return status;
}

}  // namespace

const Command kLabRun{
    .path = "lab run FILE",
    .summary = "Deploy a lab, run its steps, and take it away; the status tells whether all held",
    .example = "  heddle lab run demo.lab.yml\n  heddle lab run --keep demo.lab.yml",
    .flags = kRunFlags,
    .run = run};

}  // namespace heddle::cmd
