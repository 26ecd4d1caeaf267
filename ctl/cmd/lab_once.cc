#include "ctl/cmd/lab_once.h"

#include <unistd.h>

#include <fstream>
#include <ostream>
#include <thread>

#include "ctl/output/table.h"
#include "topologies/engine/plan/plan.h"

namespace heddle::cmd {
namespace {

// A listener that goes silent once the run was interrupted, and lets the lab's events have what it
// cannot know by itself: which steps and checks fail.
class GuardedListener final : public scenario::Listener {
 public:
  GuardedListener(scenario::Listener& listener, steps::LabControl& lab, const InterruptGuard& guard)
      : listener_(listener), lab_(lab), guard_(guard) {}
  void started(const steps::StepReport& step) override { listener_.started(step); }
  void finished(const steps::StepReport& step) override {
    guard_.wait_if_interrupted();
    if (!step.passed)
      note("step failed", step.place,
           step.name + (step.problems.empty() ? "" : ": " + step.problems.front()));
    listener_.finished(step);
  }
  void happened(const scenario::Entry& entry) override {
    guard_.wait_if_interrupted();
    using What = scenario::Entry::What;
    if (entry.what == What::broke) note("check failed", "", entry.text);
    if (entry.what == What::recovered) note("check holds", "", entry.text);
    if (entry.what == What::problem) note("fault failed", "", entry.text);
    listener_.happened(entry);
  }

 private:
  // The run goes on without it.
  void note(const char* kind, const std::string& subject, const std::string& text) {
    control::Request request{.op = control::Op::note, .target = subject};
    request.kind = kind;
    request.text = text;
    (void)lab_.ask(request);
  }

  scenario::Listener& listener_;
  steps::LabControl& lab_;
  const InterruptGuard& guard_;
};

}  // namespace

LabRuns::LabRuns(plan::LabPaths paths, Options options, Context& context)
    : paths_(std::move(paths)), options_(std::move(options)), context_(context) {
  ::signal(SIGPIPE, SIG_IGN);  // a reader that has gone must not leave the lab behind
  guard_.watch([this] { (void)lab::destroy(paths_, [](const control::Progress&) {}); });
}

Result<std::unique_ptr<LabRuns>> LabRuns::prepare(const format::Lab& lab, Options options,
                                                  Context& context) {
  TRY(auto paths, lab::locate(lab.name, options.lab_dir));
  if (lab::need_deployed(paths))
    return fail(Errc::exists, "lab " + lab.name +
                                  " is deployed already; take it down first: heddle lab destroy "
                                  "--name " +
                                  lab.name);
  return std::unique_ptr<LabRuns>(new LabRuns(std::move(paths), std::move(options), context));
}

// The ends of the hosts' logs: what somebody looks at first when a run has failed.
void LabRuns::print_logs(const format::Lab& lab) const {
  constexpr std::streamoff kTail = 1500;
  for (const format::Host& host : lab.hosts) {
    std::ifstream file(paths_.log(host.name), std::ios::ate);
    if (!host.daemon || !file) continue;
    const std::streamoff size = file.tellg();
    file.seekg(std::max<std::streamoff>(0, size - kTail));
    std::string line;
    if (size > kTail) std::getline(file, line);  // a part of a line
    context_.err << "heddled on " << host.name << " (" << paths_.log(host.name) << "):\n";
    while (std::getline(file, line)) context_.err << "  | " << output::printable(line) << "\n";
  }
}

Result<scenario::Report> LabRuns::run(const format::Lab& lab, std::uint64_t seed, Talk talk) {
  return deploy_and_run(lab,
                        {.file = options_.file,
                         .lab_dir = options_.lab_dir,
                         .daemon = "",
                         .node_filter = options_.node_filter,
                         .seed = seed,
                         .runtime = options_.runtime},
                        talk);
}

Result<scenario::Report> LabRuns::run_with(const format::Lab& lab,
                                           const std::vector<faults::Occurrence>& occurrences,
                                           std::uint64_t seed) {
  TRY(const std::string text, format::read_lab_file(options_.file));
  TRY(std::string with_these,
      faults::replace_faults(text, faults::format_faults(occurrences, seed)));
  return deploy_and_run(faults::with_faults(lab, occurrences),
                        {.file = options_.file,
                         .lab_dir = options_.lab_dir,
                         .daemon = "",
                         .node_filter = options_.node_filter,
                         .seed = seed,
                         .text = std::move(with_these),
                         .runtime = options_.runtime},
                        Talk::no);
}

Result<scenario::Report> LabRuns::deploy_and_run(const format::Lab& lab, lab::DeployRequest request,
                                                 Talk talk) {
  const bool human = talk == Talk::yes;
  const std::uint64_t seed = *request.seed;
  const auto silent_progress = [](const control::Progress&) {};
  const lab::OnProgress progress = human ? progress_to(context_) : silent_progress;
  if (human) context_.out << "lab " << lab.name << ": deploy, seed " << seed << "\n";
  auto deployed = lab::deploy(request, progress);
  guard_.wait_if_interrupted();
  if (!deployed) return std::unexpected(std::move(deployed).error());

  steps::RemoteLab control(paths_.socket());
  const auto colour =
      ::isatty(STDOUT_FILENO) ? steps::Printer::Colour::yes : steps::Printer::Colour::no;
  scenario::Printer printer(context_.out, colour);
  scenario::Silent silent;
  GuardedListener listener(human ? static_cast<scenario::Listener&>(printer) : silent, control,
                           guard_);
  scenario::Report report =
      scenario::run(lab,
                    {.seed = seed,
                     .variables = plan::built_in_variables(lab, paths_),
                     .take_worst_stall = [this] { return heartbeat_.take_worst(); }},
                    control, listener);
  if (!report.held && human) print_logs(lab);
  if (options_.keep) {
    if (human)
      context_.out << "\nlab " << lab.name
                   << " is left as it is; take it down: heddle lab destroy --name " << lab.name
                   << "\n";
    return report;
  }
  if (human) context_.out << "\nlab " << lab.name << ": destroy\n";
  TRY_DO(lab::destroy(paths_, progress));
  return report;
}

}  // namespace heddle::cmd
