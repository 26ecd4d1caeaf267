#include "topologies/engine/process/spawn.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <optional>
#include <system_error>
#include <thread>

#include "common/base/error.h"
#include "topologies/engine/process/identity.h"

namespace heddle::process {
namespace {

// Everything that the child needs, made before fork: after it, in a program with threads, only
// async-signal-safe calls are allowed (fork(2)).
struct Prepared {
  std::vector<std::string> paths;  // tried in order
  std::vector<char*> argv;
  std::vector<std::string> env_texts;
  std::vector<char*> env;
  std::string directory;
  UniqueFd cgroup_procs;
  UniqueFd null;
  std::optional<Identity> identity;
};

// Where the child failed, sent over a close-on-exec pipe.
enum class Stage : int {
  cgroup,
  container,
  netns,
  uts,
  mounts,
  directory,
  descriptors,
  capabilities,
  user,
  exec
};
struct Failure {
  Stage stage = Stage::exec;
  int sys_errno = 0;
};

const char* describe(Stage stage) {
  switch (stage) {
    case Stage::cgroup:
      return "join the cgroup";
    case Stage::container:
      return "enter the container";
    case Stage::netns:
      return "enter the network namespace";
    case Stage::uts:
      return "set the host name";
    case Stage::mounts:
      return "enter the mount namespace";
    case Stage::directory:
      return "change to its directory";
    case Stage::descriptors:
      return "set its input and output";
    case Stage::capabilities:
      return "have the container's capabilities";
    case Stage::user:
      return "become its user";
    case Stage::exec:
      return "execute it";
  }
  return "";
}

// Where the command may be, in order: below another root only who is there can tell.
std::vector<std::string> places_of(const std::string& name, const std::string& path) {
  if (name.find('/') != std::string::npos) return {name};
  std::vector<std::string> out;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find(':', at), path.size());
    if (end > at) out.push_back(path.substr(at, end - at) + "/" + name);
    at = end + 1;
  }
  return out;
}

Result<std::vector<std::string>> find_program(const SpawnRequest& request) {
  const auto found = request.env.find("PATH");
  const std::string path =
      found == request.env.end() ? "/usr/sbin:/usr/bin:/sbin:/bin" : found->second;
  const std::string& name = request.command.front();
  std::vector<std::string> places = places_of(name, path);
  if (request.process >= 0 || name.find('/') != std::string::npos) return places;
  for (const std::string& place : places) {
    if (::access(place.c_str(), X_OK) == 0) return std::vector{place};
  }
  return fail(Errc::not_found, name + ": command not found in PATH (" + path + ")");
}

Result<Prepared> prepare(const SpawnRequest& request) {
  if (request.command.empty() || request.command.front().empty())
    return fail(Errc::invalid, "the command is empty");
  Prepared prepared;
  TRY(prepared.paths, find_program(request));
  for (const std::string& word : request.command)
    prepared.argv.push_back(const_cast<char*>(word.c_str()));
  prepared.argv.push_back(nullptr);
  for (const auto& [key, value] : request.env) prepared.env_texts.push_back(key + "=" + value);
  prepared.directory = request.directory.empty() ? "/" : request.directory;
  if (!request.cgroup.empty()) {
    const std::string file = request.cgroup + "/cgroup.procs";
    prepared.cgroup_procs.reset(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
    if (!prepared.cgroup_procs) return fail_errno(errno, "open " + file);
  }
  if (!request.user.empty()) {
    TRY(prepared.identity, find_identity(request.user, request.root));
    if (!prepared.identity->home.empty() && !request.env.contains("HOME"))
      prepared.env_texts.push_back("HOME=" + prepared.identity->home);
  }
  for (std::string& text : prepared.env_texts) prepared.env.push_back(text.data());
  prepared.env.push_back(nullptr);
  prepared.null.reset(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!prepared.null) return fail_errno(errno, "open /dev/null");
  return prepared;
}

bool set_descriptor(int from, int to, int null) {
  return ::dup2(from >= 0 ? from : null, to) >= 0;
}

// Of the bounding set, so that whatever it executes has no more (capabilities(7)).
bool drop_capabilities(std::uint64_t allowed) {
  for (unsigned long number = 0; number < 64; ++number) {
    if ((allowed >> number) & 1) continue;
    if (::prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0) return errno == EINVAL;  // past the last one
  }
  return true;
}

// The first place that there is; the errno of the last otherwise.
int execute(const Prepared& prepared) {
  int failure = ENOENT;
  for (const std::string& path : prepared.paths) {
    ::execve(path.c_str(), prepared.argv.data(), prepared.env.data());
    if (errno == ENOENT || errno == ENOTDIR) continue;
    failure = errno;
    if (failure != EACCES) break;
  }
  return failure;
}

// Runs in the child, or in the process that is to be replaced. Async-signal-safe.
Failure become(const SpawnRequest& request, const Prepared& prepared) {
  if (prepared.cgroup_procs && ::write(prepared.cgroup_procs.get(), "0", 1) != 1)
    return {Stage::cgroup, errno};
  // Of its PID namespace it is a member by birth.
  constexpr int kContainer =
      CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP;
  if (request.process >= 0 && ::setns(request.process, kContainer) < 0)
    return {Stage::container, errno};
  if (request.netns >= 0 && ::setns(request.netns, CLONE_NEWNET) < 0) return {Stage::netns, errno};
  if (request.uts_ns >= 0 && ::setns(request.uts_ns, CLONE_NEWUTS) < 0) return {Stage::uts, errno};
  if (request.uts_ns < 0 && !request.hostname.empty() &&
      (::unshare(CLONE_NEWUTS) < 0 ||
       ::sethostname(request.hostname.data(), request.hostname.size()) < 0))
    return {Stage::uts, errno};
  if (request.mount_ns >= 0 &&
      (::unshare(CLONE_FS) < 0 || ::setns(request.mount_ns, CLONE_NEWNS) < 0))
    return {Stage::mounts, errno};
  if (request.open_files) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) < 0) return {Stage::descriptors, errno};
    limit.rlim_cur = request.open_files;
    if (::setrlimit(RLIMIT_NOFILE, &limit) < 0) return {Stage::descriptors, errno};
  }
  if (::chdir(prepared.directory.c_str()) < 0) return {Stage::directory, errno};
  const int null = prepared.null.get();
  if (!set_descriptor(request.input, 0, null) || !set_descriptor(request.output, 1, null) ||
      !set_descriptor(request.error, 2, null))
    return {Stage::descriptors, errno};
  if (request.capabilities && !drop_capabilities(*request.capabilities))
    return {Stage::capabilities, errno};
  if (const auto& identity = prepared.identity;
      identity && (::setgroups(identity->groups.size(), identity->groups.data()) < 0 ||
                   ::setgid(identity->group) < 0 || ::setuid(identity->user) < 0))
    return {Stage::user, errno};
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  return {Stage::exec, execute(prepared)};
}

void reset_signals() {
  struct sigaction action{};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &action, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Keeps a descriptor out of 0..2, which the child overwrites.
void above_standard(UniqueFd& fd) {
  if (fd && fd.get() < 3) fd.reset(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
}

// What `child` does comes to an end with the child.
Result<pid_t> fork_here(const SpawnRequest& request, const std::function<void()>& child) {
  if (request.process >= 0 && ::setns(request.process, CLONE_NEWPID) < 0)
    return fail_errno(errno, "enter the container's processes");
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno(errno, "fork");
  if (pid > 0) return pid;
  child();
  ::_exit(127);
}

// Into a container by a thread that enters its PID namespace, since that is the one of this
// thread's children (setns(2)): they stay this program's to reap.
Result<pid_t> fork_aside(const SpawnRequest& request, const std::function<void()>& child) {
  if (request.process < 0) return fork_here(request, child);
  Result<pid_t> forked;
  try {
    std::thread([&] { forked = fork_here(request, child); }).join();
  } catch (const std::system_error& error) {
    return fail_errno(error.code().value(), "start a helper thread");
  }
  return forked;
}

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};
Result<Pipe> failure_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) < 0) return fail_errno(errno, "make a pipe");
  Pipe out{UniqueFd(fds[0]), UniqueFd(fds[1])};
  above_standard(out.write_end);
  return out;
}

// Nothing: it has executed its command.
std::optional<Failure> read_failure(Pipe& pipe) {
  pipe.write_end.reset();
  Failure failure;
  ssize_t got = 0;
  do {
    got = ::read(pipe.read_end.get(), &failure, sizeof failure);
  } while (got < 0 && errno == EINTR);
  return got == 0 ? std::nullopt : std::optional(failure);
}

void send_failure(const Pipe& pipe, const Failure& failure) {
  [[maybe_unused]] const ssize_t sent = ::write(pipe.write_end.get(), &failure, sizeof failure);
}

Error error_of(const SpawnRequest& request, const Failure& failure) {
  return Error::from_errno(failure.sys_errno,
                           request.command.front() + ": " + describe(failure.stage));
}

// A child with this terminal, in this process group: it hears of Ctrl-C by itself.
Result<> run_as_child(const SpawnRequest& request, const Prepared& prepared) {
  TRY(Pipe pipe, failure_pipe());
  // By this thread: it is whose end the child would die with.
  TRY(const pid_t pid, fork_here(request, [&] {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        send_failure(pipe, become(request, prepared));
      }));
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGQUIT, SIG_IGN);
  const auto failure = read_failure(pipe);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (failure) return std::unexpected(error_of(request, *failure));
  ::_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

}  // namespace

Result<int> spawn(const SpawnRequest& request) {
  TRY(Prepared prepared, prepare(request));
  TRY(Pipe pipe, failure_pipe());
  above_standard(prepared.null);
  TRY(const pid_t pid, fork_aside(request, [&] {
        ::setsid();
        reset_signals();
        send_failure(pipe, become(request, prepared));
      }));
  const auto failure = read_failure(pipe);
  if (!failure) return pid;  // the pipe closed with exec
  ::waitpid(pid, nullptr, 0);
  return std::unexpected(error_of(request, *failure));
}

Error replace_process(const SpawnRequest& request) {
  auto prepared = prepare(request);
  if (!prepared) return std::move(prepared).error();
  if (request.process < 0) return error_of(request, become(request, *prepared));
  return run_as_child(request, *prepared).error();
}

}  // namespace heddle::process
