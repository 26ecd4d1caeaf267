#include "topologies/engine/process/spawn.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

#include "common/base/error.h"

namespace heddle::process {
namespace {

struct Identity {
  uid_t user = 0;
  gid_t group = 0;
  std::vector<gid_t> groups;
};

std::optional<unsigned> parse_id(std::string_view text) {
  unsigned value = 0;
  const auto [stop, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

// Of this machine's users and groups; bare numbers need not be known.
Result<Identity> find_identity(const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::string user = text.substr(0, colon);
  Identity out;
  const auto id = parse_id(user);
  std::vector<char> buffer(1 << 16);
  passwd entry{};
  passwd* found = nullptr;
  if (id) {
    ::getpwuid_r(*id, &entry, buffer.data(), buffer.size(), &found);
  } else {
    ::getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found);
  }
  if (!found && !id) return fail(Errc::not_found, "this machine has no user " + user);
  out.user = found ? entry.pw_uid : *id;
  out.group = found ? entry.pw_gid : 0;
  if (found) {
    int count = 256;
    out.groups.resize(static_cast<std::size_t>(count));
    if (::getgrouplist(entry.pw_name, entry.pw_gid, out.groups.data(), &count) < 0)
      return fail(Errc::exhausted, "user " + user + " is in more than 256 groups");
    out.groups.resize(static_cast<std::size_t>(count));
  }
  if (colon == std::string::npos) return out;
  const std::string name = text.substr(colon + 1);
  const auto gid = parse_id(name);
  group group_entry{};
  group* group_found = nullptr;
  if (!gid) ::getgrnam_r(name.c_str(), &group_entry, buffer.data(), buffer.size(), &group_found);
  if (!gid && !group_found) return fail(Errc::not_found, "this machine has no group " + name);
  out.group = gid ? *gid : group_entry.gr_gid;
  out.groups = {out.group};
  return out;
}

// Everything that the child needs, made before fork: after it, in a program with threads, only
// async-signal-safe calls are allowed (fork(2)).
struct Prepared {
  std::string path;
  std::vector<char*> argv;
  std::vector<std::string> env_texts;
  std::vector<char*> env;
  std::string directory;
  UniqueFd cgroup_procs;
  UniqueFd null;
  std::optional<Identity> identity;
};

// Where the child failed, sent over a close-on-exec pipe.
enum class Stage : int { cgroup, netns, uts, mounts, directory, descriptors, user, exec };
struct Failure {
  Stage stage = Stage::exec;
  int sys_errno = 0;
};

const char* describe(Stage stage) {
  switch (stage) {
    case Stage::cgroup:
      return "join the cgroup";
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
    case Stage::user:
      return "become its user";
    case Stage::exec:
      return "execute it";
  }
  return "";
}

Result<std::string> find_program(const std::string& name, const std::string& path) {
  if (name.find('/') != std::string::npos) return name;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find(':', at), path.size());
    const std::string candidate = path.substr(at, end - at) + "/" + name;
    if (end > at && ::access(candidate.c_str(), X_OK) == 0) return candidate;
    at = end + 1;
  }
  return fail(Errc::not_found, name + ": command not found in PATH (" + path + ")");
}

Result<Prepared> prepare(const SpawnRequest& request) {
  if (request.command.empty() || request.command.front().empty())
    return fail(Errc::invalid, "the command is empty");
  Prepared prepared;
  const auto path = request.env.find("PATH");
  TRY(prepared.path,
      find_program(request.command.front(),
                   path == request.env.end() ? "/usr/sbin:/usr/bin:/sbin:/bin" : path->second));
  for (const std::string& word : request.command)
    prepared.argv.push_back(const_cast<char*>(word.c_str()));
  prepared.argv.push_back(nullptr);
  for (const auto& [key, value] : request.env) prepared.env_texts.push_back(key + "=" + value);
  for (std::string& text : prepared.env_texts) prepared.env.push_back(text.data());
  prepared.env.push_back(nullptr);
  prepared.directory = request.directory.empty() ? "/" : request.directory;
  if (!request.cgroup.empty()) {
    const std::string file = request.cgroup + "/cgroup.procs";
    prepared.cgroup_procs.reset(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
    if (!prepared.cgroup_procs) return fail_errno(errno, "open " + file);
  }
  if (!request.user.empty()) {
    TRY(prepared.identity, find_identity(request.user));
  }
  prepared.null.reset(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!prepared.null) return fail_errno(errno, "open /dev/null");
  return prepared;
}

bool set_descriptor(int from, int to, int null) {
  return ::dup2(from >= 0 ? from : null, to) >= 0;
}

// Runs in the child, or in the process that is to be replaced. Async-signal-safe.
Failure become(const SpawnRequest& request, const Prepared& prepared) {
  if (prepared.cgroup_procs && ::write(prepared.cgroup_procs.get(), "0", 1) != 1)
    return {Stage::cgroup, errno};
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
  if (const auto& identity = prepared.identity;
      identity && (::setgroups(identity->groups.size(), identity->groups.data()) < 0 ||
                   ::setgid(identity->group) < 0 || ::setuid(identity->user) < 0))
    return {Stage::user, errno};
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  ::execve(prepared.path.c_str(), prepared.argv.data(), prepared.env.data());
  return {Stage::exec, errno};
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

}  // namespace

Result<int> spawn(const SpawnRequest& request) {
  auto prepared = prepare(request);
  if (!prepared) return std::unexpected(std::move(prepared).error());
  int pipe_fds[2];
  if (::pipe2(pipe_fds, O_CLOEXEC) < 0) return fail_errno(errno, "make a pipe");
  UniqueFd read_end(pipe_fds[0]);
  UniqueFd write_end(pipe_fds[1]);
  above_standard(write_end);
  above_standard(prepared->null);
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno(errno, "fork");
  if (pid == 0) {
    ::setsid();
    reset_signals();
    const Failure failure = become(request, *prepared);
    [[maybe_unused]] const ssize_t sent = ::write(write_end.get(), &failure, sizeof failure);
    ::_exit(127);
  }
  write_end.reset();
  Failure failure;
  ssize_t got = 0;
  do {
    got = ::read(read_end.get(), &failure, sizeof failure);
  } while (got < 0 && errno == EINTR);
  if (got == 0) return pid;  // the pipe closed with exec
  ::waitpid(pid, nullptr, 0);
  return fail_errno(failure.sys_errno, request.command.front() + ": " + describe(failure.stage));
}

Error replace_process(const SpawnRequest& request) {
  auto prepared = prepare(request);
  if (!prepared) return std::move(prepared).error();
  const Failure failure = become(request, *prepared);
  return Error::from_errno(failure.sys_errno,
                           request.command.front() + ": " + describe(failure.stage));
}

}  // namespace heddle::process
