#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ostream>

#include "common/base/unique_fd.h"
#include "ctl/cmd/commands.h"
#include "ctl/cmd/lab_run.h"
#include "ctl/cmd/labs.h"
#include "ctl/cmd/node_filter.h"
#include "ctl/output/table.h"
#include "topologies/engine/process/spawn.h"

namespace heddle::cmd {
namespace {

constexpr Flag kListFlags[] = {kLabDir};
constexpr Flag kDeployFlags[] = {
    kNodeFilter,
    kRuntime,
    {"--dry-run", "", "only say what would be made, changed or taken away"},
    kLabDir};
constexpr Flag kNamedFlags[] = {kLabName, kLabDir};

// `delay 50ms loss 1%, 120 packets, 3 lost`; empty when nothing is worth saying.
std::string describe_way(const control::WayStatus& way) {
  std::string out = format::describe(way.impairment);
  const auto count = [&](std::uint64_t number, const char* what) {
    if (number) out += (out.empty() ? "" : ", ") + std::to_string(number) + " " + what;
  };
  count(way.packets, "packets");
  count(way.lost, "lost");
  count(way.corrupted, "corrupted");
  count(way.duplicated, "duplicated");
  count(way.reordered, "reordered");
  count(way.overflowed, "dropped by the limit");
  return out;
}

void print_links(Context& context, const control::LabStatus& status) {
  if (status.links.empty()) return;
  context.out << "\n";
  output::Table table({"LINK", "STATE", "FORWARD", "BACKWARD", "BY"});
  for (const auto& link : status.links)
    table.add({link.a + " - " + link.b, link.state, describe_way(link.forward),
               describe_way(link.backward), link.backend});
  table.print(context.out);
  const control::Fidelity& fidelity = status.fidelity;
  if (fidelity.relay)
    context.out << "relay: " << fidelity.relayed << " packets, late by "
                << fidelity.late_p50.count() << " us (median), " << fidelity.late_p99.count()
                << " us (p99), " << fidelity.late_max.count() << " us (most); " << fidelity.overrun
                << " lost because it was not in time\n";
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
  print_links(context, status);
}

void print_changes(Context& context, const lab::Deployed& deployed) {
  if (context.format == Format::json) return;
  for (const std::string& change : deployed.changes) context.out << "  " << change << "\n";
  if (deployed.changes.empty()) context.out << "  nothing to change\n";
}

Result<int> deploy(const Arguments& arguments, Context& context) {
  const std::string& file = arguments.text("FILE");
  TRY(const auto node_filter, parse_node_filter(arguments.list("--node-filter")));
  TRY(const auto runtime, parse_runtime(arguments));
  const auto lab = load_filtered(arguments);
  if (!lab) return failed(context, lab.error());
  print_warnings(context, *lab);
  using IfThere = lab::DeployRequest::IfThere;
  const bool dry_run = arguments.has("--dry-run");
  const auto deployed = lab::deploy({.file = file,
                                     .lab_dir = arguments.text("--lab-dir"),
                                     .daemon = "",
                                     .node_filter = node_filter,
                                     .if_there = dry_run ? IfThere::compare : IfThere::converge,
                                     .runtime = runtime},
                                    progress_to(context));
  if (!deployed) return failed(context, deployed.error());
  if (dry_run || deployed->was_there) print_changes(context, *deployed);
  if (dry_run) return kDone;
  const auto status = ask_status(deployed->paths);
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
                << lab->steps.size() << " steps, " << lab->faults.size() << " faults, "
                << lab->checks.size() << " checks\n";
  }
  return status;
}

Result<UniqueFd> open_namespace(const std::string& path) {
  if (path.empty()) return UniqueFd();
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, "open " + path);
  return fd;
}

// The first process of a container; it may have ended since it was told of, and its number be
// another's.
Result<UniqueFd> open_container(int pid, int netns) {
  UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  struct stat its{};
  struct stat pinned{};
  const std::string space = "/proc/" + std::to_string(pid) + "/ns/net";
  if (process && ::stat(space.c_str(), &its) == 0 && ::fstat(netns, &pinned) == 0 &&
      its.st_ino == pinned.st_ino && its.st_dev == pinned.st_dev)
    return process;
  return fail(Errc::unavailable, "the node's container has just ended");
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
  TRY(UniqueFd netns, open_namespace(entry.netns));
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
  request.user = entry.user;
  UniqueFd container;
  if (entry.process > 0) {
    TRY(container, open_container(entry.process, netns.get()));
    netns.reset();
    request.netns = -1;
    request.process = container.get();
    request.root = "/proc/" + std::to_string(entry.process) + "/root";
    request.capabilities = entry.capabilities;
  }
  request.input = STDIN_FILENO;
  request.output = STDOUT_FILENO;
  request.error = STDERR_FILENO;
  context.out.flush();
  return failed(context, process::replace_process(request));
}

constexpr Command kCommands[] = {
    {.path = "lab deploy FILE",
     .summary = "Build a lab, or change a deployed one to what its file says now",
     .example = "  heddle lab deploy three.lab.yml\n"
                "  heddle lab deploy --dry-run three.lab.yml",
     .flags = kDeployFlags,
     .run = deploy},
    {.path = "lab destroy [FILE]",
     .summary = "Take a lab away, whole, also when its file or its daemon is gone",
     .example = "  heddle lab destroy three.lab.yml\n  heddle lab destroy --name three",
     .flags = kNamedFlags,
     .run = destroy},
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
     .flags = kListFlags,
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
  add_command(app, context, kLabRun);
}

}  // namespace heddle::cmd
