#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "common/base/unique_fd.h"
#include "topologies/engine/container/engine.h"
#include "topologies/engine/format/filter.h"
#include "topologies/engine/format/lab.h"
#include "topologies/engine/format/reader.h"
#include "topologies/engine/lab/lab.h"
#include "topologies/engine/lab/root.h"
#include "topologies/engine/plan/diff.h"
#include "topologies/engine/process/cgroup.h"
#include "topologies/engine/process/spawn.h"

namespace heddle::lab {
namespace {

namespace fs = std::filesystem;

using namespace std::chrono_literals;

constexpr std::size_t kMaxLine = 1U << 20;
constexpr auto kUpdateTime = 600s;

Result<> write_file(const std::string& path, std::string_view text) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return fail_errno(errno, "create " + path);
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return fail_errno(errno ? errno : ENOSPC, "write " + path);
  return {};
}

Result<> make_directories(const std::string& path) {
  std::error_code ec;
  fs::create_directories(path, ec);
  if (ec) return fail_errno(ec.value(), "make directory " + path);
  return {};
}

std::string own_directory() {
  std::error_code ec;
  return fs::read_symlink("/proc/self/exe", ec).parent_path().string();
}

std::string find_daemon(const DeployRequest& request) {
  if (!request.daemon.empty()) return request.daemon;
  const std::string beside = own_directory() + "/heddle-labd";
  return ::access(beside.c_str(), X_OK) == 0 ? beside : "heddle-labd";
}

// A parent that was not there before is marked, so that the last destroy takes it away again, and
// no directory that the machine had.
Result<> make_root(const std::string& root) {
  const bool had_parent = ::access(fs::path(root).parent_path().c_str(), F_OK) == 0;
  TRY_DO(make_directories(root));
  if (had_parent) return {};
  auto marked = write_file(root + "/" + kMadeParent, "");
  if (!marked && marked.error().code() == Errc::exists) return {};
  return marked;
}

// Creating the run directory is what claims the name: the kernel lets one caller succeed.
Result<> claim(const plan::LabPaths& paths, const std::string& text) {
  TRY_DO(make_root(paths.roots().run));
  TRY_DO(make_root(paths.roots().state));
  if (::mkdir(paths.run_dir().c_str(), 0700) < 0) {
    if (errno != EEXIST) return fail_errno(errno, "make directory " + paths.run_dir());
    return fail(Errc::exists, "lab " + paths.lab() +
                                  " is deployed already; take it down first: "
                                  "heddle lab destroy --name " +
                                  paths.lab());
  }
  TRY_DO(write_file(paths.name_file(), paths.lab()));
  TRY_DO(write_file(paths.lab_file(), text));
  TRY_DO(make_directories(paths.log_dir()));
  TRY_DO(make_directories(paths.netns_dir()));
  TRY_DO(make_directories(paths.state_dir()));
  return process::create_cgroup(paths.daemon_cgroup());
}

// Reads the daemon's progress until it is ready. Errors: its own, or `unavailable` when it ended.
Result<> follow(int fd, const plan::LabPaths& paths, const OnProgress& on_progress) {
  std::string pending;
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) return fail(Errc::cancelled, "interrupted");
    if (got <= 0)
      return fail(Errc::unavailable,
                  "heddle-labd ended while it built the lab; see " + paths.log_dir() + "/labd.log");
    pending.append(buffer.data(), static_cast<std::size_t>(got));
    if (pending.size() > kMaxLine) return fail(Errc::internal, "heddle-labd prints no lines");
    for (std::size_t end; (end = pending.find('\n')) != std::string::npos;) {
      TRY(control::Progress progress, control::decode_progress(pending.substr(0, end)));
      pending.erase(0, end + 1);
      if (progress.error) return std::unexpected(*std::move(progress.error));
      if (progress.ready) return {};
      on_progress(progress);
    }
  }
}

Result<> start_daemon(const DeployRequest& request, const format::Lab& lab,
                      const plan::LabPaths& paths, const OnProgress& on_progress) {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) < 0) return fail_errno(errno, "make a pipe");
  UniqueFd read_end(fds[0]);
  UniqueFd write_end(fds[1]);
  const std::string log = paths.log_dir() + "/labd.log";
  UniqueFd log_fd(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!log_fd) return fail_errno(errno, "create " + log);
  process::SpawnRequest spawn;
  spawn.command = {find_daemon(request), "--name",     paths.lab(), "--file", lab.file,
                   "--directory",        lab.directory};
  if (!request.lab_dir.empty()) {
    spawn.command.push_back("--lab-dir");
    spawn.command.push_back(request.lab_dir);
  }
  if (request.seed) {
    spawn.command.push_back("--seed");
    spawn.command.push_back(std::to_string(*request.seed));
  }
  spawn.env = format::own_environment();
  spawn.cgroup = paths.daemon_cgroup();
  spawn.output = write_end.get();
  spawn.error = log_fd.get();
  TRY([[maybe_unused]] const int pid, process::spawn(spawn));
  write_end.reset();
  return follow(read_end.get(), paths, on_progress);
}

// Before anything is made of a lab that cannot be.
Result<> need_engine(const format::Lab& lab) {
  const bool any = std::ranges::any_of(
      lab.nodes, [](const format::Node& node) { return node.container.has_value(); });
  if (!any) return {};
  TRY(std::string socket, container::find_socket(format::own_environment()));
  return container::Engine(std::move(socket)).need();
}

// Lets the daemon of a lab that is there change it.
Result<Deployed> converge(const DeployRequest& request, const format::Lab& lab,
                          const plan::LabPaths& paths, std::string text) {
  const control::Client client(paths.socket());
  if (!client.answers()) {
    const bool starts = !process::processes_in(paths.daemon_cgroup()).empty();
    return starts ? fail(Errc::exists, "lab " + paths.lab() +
                                           " is just being deployed; try again "
                                           "when that is done")
                  : fail(Errc::unavailable, "lab " + paths.lab() +
                                                " has lost its heddle-labd; take it down first: "
                                                "heddle lab destroy --name " +
                                                paths.lab());
  }
  TRY(control::Reply reply,
      client.ask({.op = control::Op::update,
                  .target = lab.file,
                  .timeout = kUpdateTime,
                  .text = std::move(text),
                  .directory = lab.directory,
                  .env = format::own_environment(),
                  .dry_run = request.if_there == DeployRequest::IfThere::compare}));
  return Deployed{.paths = paths, .was_there = true, .changes = std::move(reply.did)};
}

}  // namespace

Result<Deployed> deploy(const DeployRequest& request, const OnProgress& on_progress) {
  using IfThere = DeployRequest::IfThere;
  TRY(std::string text,
      request.text ? Result<std::string>(*request.text) : format::read_lab_file(request.file));
  TRY(format::Lab lab, format::load_lab(request.file));
  const auto load = [&]() -> Result<format::Lab> {
    return format::load_lab(format::LabSource{.text = text,
                                              .file = lab.file,
                                              .directory = lab.directory,
                                              .environment = format::own_environment()});
  };
  if (request.runtime) {
    TRY(text, format::with_runtime(std::move(text), request.file, *request.runtime));
    TRY(lab, load());
  }
  if (!request.node_filter.empty()) {
    // What is deployed is a file of its own: whoever reads it later needs to know of no filter.
    TRY(text,
        format::filter_file(text, request.file, format::own_environment(), request.node_filter));
    TRY(lab, load());
  }
  if (::geteuid() != 0)
    return fail(Errc::denied, "labs are network namespaces and cgroups: run this as root (sudo)");
  TRY(const plan::LabPaths paths, locate(lab.name, request.lab_dir));
  if (request.if_there == IfThere::compare && !need_deployed(paths)) {
    TRY(const plan::Plan plan, plan::plan_lab(lab, paths));
    return Deployed{.paths = paths,
                    .was_there = false,
                    .changes = plan::describe(plan::diff(plan::Plan{.paths = paths}, plan))};
  }
  Result<> built;
  if (request.if_there == IfThere::compare) {
    built = fail(Errc::exists, "");
  } else {
    TRY_DO(need_engine(lab).during("deploy " + lab.name));
    built = claim(paths, text);
  }
  if (!built && built.error().code() == Errc::exists) {
    if (request.if_there == IfThere::refuse) return std::unexpected(built.error());
    return converge(request, lab, paths, std::move(text)).during("deploy " + lab.name);
  }
  if (built) built = start_daemon(request, lab, paths, on_progress);
  if (built) return Deployed{.paths = paths, .was_there = false, .changes = {}};
  (void)destroy(paths, [](const control::Progress&) {});
  return std::unexpected(std::move(built).error().during("deploy " + lab.name));
}

Result<plan::LabPaths> locate(const std::string& name, const std::string& lab_dir) {
  if (!format::is_name(name))
    return fail(Errc::invalid, "\"" + name.substr(0, 80) +
                                   "\" is no lab name: 1 to 63 letters, digits, "
                                   "-, _ or ., starting with a letter or digit");
  TRY(const std::string cgroup2, process::find_cgroup2());
  std::error_code ec;
  const std::string absolute = lab_dir.empty() ? "" : fs::absolute(lab_dir, ec).string();
  return plan::LabPaths(plan::roots_for(absolute, cgroup2), name);
}

}  // namespace heddle::lab
