#include "netd/runtime/launch.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <vector>

#include "dataplane/netns/netns.h"
#include "netd/runtime/cgroup.h"
#include "netd/runtime/child.h"

namespace heddle::runtime {
namespace {

constexpr std::string_view kDefaultPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr int kMaxChildFd = 1023;

std::string path_of(const Processes::Spec& spec) {
  if (const auto it = spec.environment.find("PATH"); it != spec.environment.end())
    return it->second;
  const char* ours = std::getenv("PATH");
  return ours != nullptr ? ours : std::string(kDefaultPath);
}

// What execve would run; whether it may is told apart from whether it exists.
Result<> check_program(const std::string& file) {
  struct stat info{};
  if (::stat(file.c_str(), &info) < 0) return fail(Errc::not_found, "no command '" + file + "'");
  if (!S_ISREG(info.st_mode)) return fail(Errc::denied, "'" + file + "' is not a file to run");
  if (::access(file.c_str(), X_OK) < 0)
    return fail(Errc::denied, "'" + file + "' is not executable (chmod +x)");
  return {};
}

Result<> check_directory(const std::string& directory) {
  struct stat info{};
  if (directory.empty() || directory[0] != '/')
    return fail(Errc::invalid, "directory '" + directory + "' must be an absolute path");
  if (::stat(directory.c_str(), &info) < 0 || !S_ISDIR(info.st_mode))
    return fail(Errc::not_found, "no directory '" + directory + "'");
  return {};
}

// Null-terminated pointers to the strings, which must outlive them.
std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> all;
  for (auto& string : strings) all.push_back(string.data());
  all.push_back(nullptr);
  return all;
}

// Everything that is prepared before the child exists. It stays in place while a ChildPlan points
// into it.
struct Prepared {
  std::string program;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
  UniqueFd sandbox;
  UniqueFd cgroup;
  UniqueFd cgroup_procs;
  UniqueFd program_fd;            // for a user who may not walk there
  std::vector<UniqueFd> sources;  // duplicates above every number that the child uses
  std::vector<ChildPlan::Move> moves;
};

Result<> add_move(Prepared& prepared, int from, int to, int above) {
  UniqueFd copy(::fcntl(from, F_DUPFD_CLOEXEC, above));
  if (!copy) return fail_errno(errno, "duplicate descriptor " + std::to_string(from));
  prepared.moves.push_back({copy.get(), to});
  prepared.sources.push_back(std::move(copy));
  return {};
}

Result<UniqueFd> open_output(const std::string& log_file) {
  const char* path = log_file.empty() ? "/dev/null" : log_file.c_str();
  UniqueFd fd(::open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640));
  if (!fd) return fail_errno(errno, "open log " + log_file);
  return fd;
}

Result<int> highest_child_fd(const Processes::Spec& spec) {
  int highest = 2;
  for (const auto& [child, ours] : spec.descriptors) {
    if (child < 0 || child > kMaxChildFd) {
      return fail(Errc::invalid, "descriptor " + std::to_string(child) +
                                     " for the child must be 0 to " + std::to_string(kMaxChildFd));
    }
    highest = std::max(highest, child);
  }
  return highest;
}

Result<> prepare_descriptors(const Processes::Spec& spec, int above, Prepared& prepared) {
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null) return fail_errno(errno, "open /dev/null");
  TRY(const UniqueFd output, open_output(spec.log_file));
  for (int fd = 0; fd <= 2; ++fd) {
    if (spec.descriptors.contains(fd)) continue;
    TRY_DO(add_move(prepared, fd == 0 ? null.get() : output.get(), fd, above));
  }
  for (const auto& [child, ours] : spec.descriptors) TRY_DO(add_move(prepared, ours, child, above));
  return {};
}

Result<> prepare(const Processes::Spec& spec, int above, Prepared& prepared) {
  if (spec.command.empty() || spec.command[0].empty())
    return fail(Errc::invalid, "the command is empty");
  TRY_DO(check_directory(spec.directory));
  const std::string path = path_of(spec);
  TRY(prepared.program, find_program(spec.command[0], path, spec.directory));
  prepared.arguments = spec.command;
  for (const auto& [name, value] : spec.environment) {
    if (name.empty() || name.find('=') != std::string::npos)
      return fail(Errc::invalid, "environment variable '" + name + "' has no name, or a '=' in it");
    prepared.environment.push_back(name + "=" + value);
  }
  if (!spec.environment.contains("PATH")) prepared.environment.push_back("PATH=" + path);
  if (!spec.sandbox.empty()) {
    TRY(prepared.sandbox, netns::open(spec.sandbox));
  }
  if (!spec.resolv_conf.empty() && ::access(spec.resolv_conf.c_str(), R_OK) < 0)
    return fail_errno(errno, "read " + spec.resolv_conf);
  if (!spec.cgroup.empty()) {
    TRY(prepared.cgroup, ensure_cgroup(spec.cgroup));
    const std::string procs = spec.cgroup + "/cgroup.procs";
    prepared.cgroup_procs.reset(::open(procs.c_str(), O_WRONLY | O_CLOEXEC));
    if (!prepared.cgroup_procs) return fail_errno(errno, "open " + procs);
  }
  if (spec.uid != 0) {
    const UniqueFd program(::open(prepared.program.c_str(), O_PATH | O_CLOEXEC));
    if (program) prepared.program_fd.reset(::fcntl(program.get(), F_DUPFD_CLOEXEC, above));
  }
  return prepare_descriptors(spec, above, prepared);
}

// fork(2) that is born in a cgroup, with a pidfd (clone(2): CLONE_INTO_CGROUP since Linux 5.7).
// Made directly, so that no atfork handler runs. Returns 0 in the child.
pid_t fork_into(int cgroup_fd, int& pidfd) {
  clone_args arguments{};
  arguments.flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
  arguments.pidfd = reinterpret_cast<__u64>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  if (cgroup_fd >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<__u64>(cgroup_fd);
  }
  return static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
}

Error failure_of(const ChildReport& failure, const Processes::Spec& spec) {
  switch (failure.step) {
    case Step::cgroup:
      return Error::from_errno(failure.sys_errno, "join cgroup " + spec.cgroup);
    case Step::session:
      return Error::from_errno(failure.sys_errno, "start a session");
    case Step::signals:
      return Error::from_errno(failure.sys_errno, "reset signals");
    case Step::sandbox:
      return Error::from_errno(failure.sys_errno, "enter " + spec.sandbox);
    case Step::mounts:
      return Error::from_errno(failure.sys_errno, "make a mount namespace");
    case Step::resolv_conf:
      if (failure.sys_errno == ENOENT) {
        return Error(Errc::not_found,
                     "this host has no /etc/resolv.conf, or it is a link to "
                     "nothing; create an empty one, the workload's is put over it");
      }
      return Error::from_errno(failure.sys_errno,
                               "put " + spec.resolv_conf + " over /etc/resolv.conf");
    case Step::directory:
      return Error::from_errno(failure.sys_errno, "enter " + spec.directory);
    case Step::descriptors:
      return Error::from_errno(failure.sys_errno, "pass descriptors");
    case Step::user:
      return Error::from_errno(failure.sys_errno, "become uid " + std::to_string(spec.uid));
    case Step::exec:
      if (failure.sys_errno == ENOENT) {
        return Error(Errc::not_found, "run '" + spec.command[0] + "': its interpreter is missing");
      }
      return Error::from_errno(failure.sys_errno, "run '" + spec.command[0] + "'");
  }
  return Error(Errc::internal, "the child failed at an unknown step");
}

void reap(int pidfd) {
  siginfo_t info{};
  while (::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED) < 0 && errno == EINTR) {
  }
}

// Forks with every signal blocked, so that no handler of ours runs in the child.
pid_t fork_and_run(const ChildPlan& plan, int cgroup_fd, int& pidfd) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = fork_into(cgroup_fd, pidfd);
  if (pid == 0) run_child(plan);
  const int sys_errno = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = sys_errno;
  return pid;
}

// The last report, absent when the child ended before it came to exec. The pipe ends with exec or
// with the child.
std::optional<ChildReport> read_reports(int fd) {
  std::optional<ChildReport> last;
  for (;;) {
    ChildReport report{};
    const ssize_t n = ::read(fd, &report, sizeof report);
    if (n < 0 && errno == EINTR) continue;
    if (n != static_cast<ssize_t>(sizeof report)) return last;
    last = report;
  }
}

enum class Joining { at_birth, by_itself };

// Absent: the child was killed before it came to exec.
Result<std::optional<Launched>> try_fork(const Processes::Spec& spec, Prepared& prepared, int above,
                                         Joining joining) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return fail_errno(errno, "pipe");
  const UniqueFd reports(ends[0]);
  UniqueFd low_end(ends[1]);
  UniqueFd report_fd(::fcntl(ends[1], F_DUPFD_CLOEXEC, above));
  if (!report_fd) return fail_errno(errno, "duplicate a pipe");
  low_end.reset();
  const bool at_birth = joining == Joining::at_birth;
  std::vector<char*> argv = pointers(prepared.arguments);
  std::vector<char*> envp = pointers(prepared.environment);
  const ChildPlan plan{
      .program = prepared.program.c_str(),
      .program_fd = prepared.program_fd.get(),
      .argv = argv.data(),
      .envp = envp.data(),
      .directory = spec.directory.c_str(),
      .resolv_conf = spec.resolv_conf.empty() ? nullptr : spec.resolv_conf.c_str(),
      .sandbox_fd = prepared.sandbox.get(),
      .cgroup_procs_fd = at_birth ? -1 : prepared.cgroup_procs.get(),
      .report_fd = report_fd.get(),
      .moves = prepared.moves.data(),
      .move_count = prepared.moves.size(),
      .uid = spec.uid,
  };
  int pidfd = -1;
  const pid_t pid = fork_and_run(plan, at_birth ? prepared.cgroup.get() : -1, pidfd);
  if (pid < 0) return fail_errno(errno, "fork");
  UniqueFd owned(pidfd);
  report_fd.reset();
  const auto report = read_reports(reports.get());
  if (report && report->sys_errno == 0) {
    TRY(ProcessId process, identify_child(pid));
    return Launched{std::move(process), std::move(owned)};
  }
  reap(owned.get());
  if (report) return std::unexpected(failure_of(*report, spec));
  return std::optional<Launched>();
}

// Kernels since 6.14 compare the number of cgroup.kills of the parent's cgroup with that of the
// child's, and kill a child that is born into another cgroup when they differ
// (kernel/cgroup/cgroup.c, cgroup_css_set_fork): then it joins by itself, which costs the kernel's
// locks of a migration.
Result<Launched> fork_prepared(const Processes::Spec& spec, Prepared& prepared, int above) {
  TRY(auto launched, try_fork(spec, prepared, above, Joining::at_birth));
  if (!launched && prepared.cgroup_procs) {
    TRY(launched, try_fork(spec, prepared, above, Joining::by_itself));
  }
  if (!launched) return fail(Errc::unavailable, "the process was killed before it could start");
  return *std::move(launched);
}

}  // namespace

Result<std::string> find_program(const std::string& command, const std::string& path,
                                 const std::string& directory) {
  if (command.find('/') != std::string::npos) {
    const std::string file = command[0] == '/' ? command : directory + "/" + command;
    TRY_DO(check_program(file));
    return file;
  }
  std::string blocked;  // found, but not to be run: PATH goes on, as execvp(3) does
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t end = std::min(path.find(':', start), path.size());
    const std::string in = path.substr(start, end - start);
    const std::string file = (in.empty() ? directory : in) + "/" + command;
    const auto checked = check_program(file);
    if (checked) return file;
    if (checked.error().code() == Errc::denied && blocked.empty()) blocked = checked.error().text();
    start = end + 1;
  }
  if (!blocked.empty()) return fail(Errc::denied, blocked);
  return fail(Errc::not_found, "no command '" + command + "' in PATH " + path);
}

Result<Launched> launch(const Processes::Spec& spec) {
  const auto highest = highest_child_fd(spec);
  if (!highest) return std::unexpected(highest.error());
  const int above = *highest + 1;
  const bool fresh_cgroup = !spec.cgroup.empty() && ::access(spec.cgroup.c_str(), F_OK) < 0;
  Prepared prepared;
  const auto ready = prepare(spec, above, prepared);
  Result<Launched> launched =
      ready ? fork_prepared(spec, prepared, above) : std::unexpected(ready.error());
  if (!launched && fresh_cgroup) ::rmdir(spec.cgroup.c_str());
  return launched;
}

}  // namespace heddle::runtime
