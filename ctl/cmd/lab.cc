#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <ostream>
#include <thread>

#include "common/base/unique_fd.h"
#include "ctl/cmd/command.h"
#include "ctl/cmd/commands.h"
#include "ctl/output/table.h"
#include "topologies/engine/control/channel.h"
#include "topologies/engine/format/lab.h"
#include "topologies/engine/lab/lab.h"
#include "topologies/engine/plan/plan.h"
#include "topologies/engine/process/spawn.h"
#include "topologies/engine/steps/print.h"
#include "topologies/engine/steps/runner.h"

namespace heddle::cmd {
namespace {

constexpr Flag kLabDir{"--lab-dir", "DIR",
                       "keep labs' files here, apart from the machine's own (/run/heddle/labs)"};
constexpr Flag kName{"--name", "LAB",
                     "the lab, in place of its file; may be left out if there is one"};
constexpr Flag kDeployFlags[] = {kLabDir};
constexpr Flag kNamedFlags[] = {kName, kLabDir};
constexpr Flag kRunFlags[] = {{"--keep", "", "leave the lab as it is after the last step"},
                              kLabDir};

// A lab's own errors are about files and machines, not about the command line: printed here, so
// that a bad file is a failure and not a usage error.
int failed(Context& context, const Error& error) {
  context.err << "heddle: " << error.text() << "\n";
  return error.code() == Errc::unsupported ? kSkipped : kFailed;
}

void print_warnings(Context& context, const format::Lab& lab) {
  for (const std::string& warning : lab.warnings) context.err << "warning: " << warning << "\n";
}

lab::OnProgress progress_to(Context& context) {
  return [&context](const control::Progress& progress) {
    if (context.format == Format::json) return;
    context.out << "  " << progress.did << "  (" << steps::format_seconds(progress.time) << ")\n";
    context.out.flush();
  };
}

// Which lab is meant: --name, else the file's, else the only one there is.
Result<plan::LabPaths> meant(const Arguments& arguments, const std::string& file) {
  const std::string& lab_dir = arguments.text("--lab-dir");
  if (arguments.has("--name")) return lab::locate(arguments.text("--name"), lab_dir);
  if (!file.empty()) {
    TRY(const format::Lab lab, format::load_lab(file));
    return lab::locate(lab.name, lab_dir);
  }
  TRY(const auto labs, lab::list(lab_dir));
  if (labs.size() == 1) return lab::locate(labs.front().name, lab_dir);
  if (labs.empty()) return fail(Errc::not_found, "no lab is deployed");
  std::string names;
  for (const auto& entry : labs) names += (names.empty() ? "" : ", ") + entry.name;
  return fail(Errc::conflict, "several labs are deployed (" + names + "); choose one with --name");
}

Result<control::LabStatus> ask_status(const plan::LabPaths& paths) {
  TRY_DO(lab::need_deployed(paths));
  auto reply = control::Client(paths.socket()).ask({.op = control::Op::inspect});
  if (!reply)
    return fail(Errc::unavailable, "lab " + paths.lab() + " has lost its heddle-labd (" +
                                       reply.error().text() +
                                       "); take it down: heddle lab destroy "
                                       "--name " +
                                       paths.lab());
  if (!reply->status) return fail(Errc::internal, "heddle-labd sent no status");
  return *std::move(reply->status);
}

void print_status(Context& context, const control::LabStatus& status) {
  if (context.format == Format::json) {
    context.out << control::format_json(status) << "\n";
    return;
  }
  output::Table table({"NAME", "KIND", "STATE", "ADDRESS", "HEDDLED", "SOCKET"});
  for (const auto& member : status.members)
    table.add({member.name, member.kind, member.state, member.address,
               member.daemon_pid ? "pid " + std::to_string(member.daemon_pid) : "", member.socket});
  table.print(context.out);
  for (const auto& process : status.background)
    context.out << "background " << process.name << " on " << process.on << ": pid " << process.pid
                << (process.running ? "" : ", ended") << "\n";
}

Result<int> deploy(const Arguments& arguments, Context& context) {
  const std::string& file = arguments.text("FILE");
  const auto lab = format::load_lab(file);
  if (!lab) return failed(context, lab.error());
  print_warnings(context, *lab);
  const auto paths = lab::deploy(
      {.file = file, .lab_dir = arguments.text("--lab-dir"), .daemon = ""}, progress_to(context));
  if (!paths) return failed(context, paths.error());
  const auto status = ask_status(*paths);
  if (!status) return failed(context, status.error());
  print_status(context, *status);
  return kDone;
}

Result<int> destroy(const Arguments& arguments, Context& context) {
  const auto paths = meant(arguments, arguments.text("FILE"));
  if (!paths) return failed(context, paths.error());
  const auto done = lab::destroy(*paths, progress_to(context));
  return done ? kDone : failed(context, done.error());
}

Result<int> inspect(const Arguments& arguments, Context& context) {
  const auto paths = meant(arguments, arguments.text("FILE"));
  if (!paths) return failed(context, paths.error());
  const auto status = ask_status(*paths);
  if (!status) return failed(context, status.error());
  print_status(context, *status);
  return kDone;
}

Result<int> list(const Arguments& arguments, Context& context) {
  const auto labs = lab::list(arguments.text("--lab-dir"));
  if (!labs) return failed(context, labs.error());
  if (context.format == Format::json) {
    context.out << "[";
    for (std::size_t i = 0; i < labs->size(); ++i)
      context.out << (i ? "," : "") << "{\"name\":\"" << (*labs)[i].name
                  << "\",\"running\":" << ((*labs)[i].alive ? "true" : "false") << "}";
    context.out << "]\n";
    return kDone;
  }
  output::Table table({"NAME", "STATE"});
  for (const auto& entry : *labs)
    table.add({entry.name, entry.alive ? "running" : "has lost its heddle-labd; destroy it"});
  table.print(context.out);
  return kDone;
}

Result<int> validate(const Arguments& arguments, Context& context) {
  int status = kDone;
  for (const std::string& file : arguments.list("FILE")) {
    const auto lab = format::load_lab(file);
    if (!lab) {
      status = failed(context, lab.error());
      continue;
    }
    print_warnings(context, *lab);
    context.out << file << ": lab " << lab->name << ", " << lab->hosts.size() << " hosts, "
                << lab->nodes.size() << " nodes, " << lab->links.size() << " links, "
                << lab->steps.size() << " steps\n";
  }
  return status;
}

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

Result<UniqueFd> open_namespace(const std::string& path) {
  if (path.empty()) return UniqueFd();
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, "open " + path);
  return fd;
}

// Becomes the command, inside the host or node, with this terminal.
Result<int> exec(const Arguments& arguments, Context& context) {
  auto paths = meant(arguments, "");
  if (!paths) return failed(context, paths.error());
  if (const auto there = lab::need_deployed(*paths); !there) return failed(context, there.error());
  auto reply = control::Client(paths->socket())
                   .ask({.op = control::Op::enter, .target = arguments.text("NODE")});
  if (!reply) return failed(context, reply.error());
  if (!reply->entry) return failed(context, {Errc::internal, "heddle-labd sent no entry"});
  const control::Entry& entry = *reply->entry;
  TRY(const UniqueFd netns, open_namespace(entry.netns));
  TRY(const UniqueFd mounts, open_namespace(entry.mounts));
  TRY(const UniqueFd uts, open_namespace(entry.uts));
  process::SpawnRequest request;
  request.command = context.command;
  request.env = entry.env;
  request.directory = entry.directory;
  request.cgroup = entry.cgroup;
  request.netns = netns.get();
  request.mount_ns = mounts.get();
  request.uts_ns = uts.get();
  request.hostname = entry.hostname;
  request.input = STDIN_FILENO;
  request.output = STDOUT_FILENO;
  request.error = STDERR_FILENO;
  context.out.flush();
  return failed(context, process::replace_process(request));
}

constexpr Command kCommands[] = {
    {.path = "lab deploy FILE",
     .summary = "Build a lab: hosts with their heddled, nodes, links",
     .example = "  heddle lab deploy three.lab.yml",
     .flags = kDeployFlags,
     .run = deploy},
    {.path = "lab destroy [FILE]",
     .summary = "Take a lab away, whole, also when its file or its daemon is gone",
     .example = "  heddle lab destroy three.lab.yml\n  heddle lab destroy --name three",
     .flags = kNamedFlags,
     .run = destroy},
    {.path = "lab run FILE",
     .summary = "Deploy a lab, run its steps, and take it away; the status tells whether all held",
     .example = "  heddle lab run demo.lab.yml\n  heddle lab run --keep demo.lab.yml",
     .flags = kRunFlags,
     .run = run},
    {.path = "lab inspect [FILE]",
     .summary = "Show a lab's hosts and nodes, their addresses and state",
     .example = "  heddle lab inspect --name three --format json",
     .flags = kNamedFlags,
     .run = inspect},
    {.path = "lab exec NODE -- COMMAND...",
     .summary = "Run a command on a host or node of a lab, with this terminal",
     .example = "  heddle lab exec --name three h1 -- heddle node ls\n"
                "  heddle lab exec h1 -- bash",
     .flags = kNamedFlags,
     .run = exec},
    {.path = "lab ls",
     .summary = "List the deployed labs",
     .example = "  heddle lab ls",
     .flags = kDeployFlags,
     .run = list},
    {.path = "lab validate FILE...",
     .summary = "Check lab files; touches nothing",
     .example = "  heddle lab validate topologies/labs/*.lab.yml",
     .flags = {},
     .run = validate},
};

}  // namespace

void register_lab(CLI::App& app, Context& context) {
  ensure_group(app, "lab", "Labs: hosts, nodes, links and steps, described by a file");
  for (const Command& command : kCommands) add_command(app, context, command);
}

}  // namespace heddle::cmd
