#include "ctl/cmd/exec.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "common/base/unique_fd.h"
#include "netd/model/view.h"

namespace heddle::cmd {
namespace {

constexpr const char* kResolvConf = "/etc/resolv.conf";
constexpr std::string_view kResolver = "nameserver 127.0.0.11\noptions ndots:0\n";

// The mounts of the process that Heddle started there; none when it has gone (its pid may be
// another's by now, in another network namespace).
UniqueFd mounts_of(const model::Workload& workload, int netns) {
  if (workload.kind != model::WorkloadKind::run || workload.pid <= 0) return {};
  const std::string ns = "/proc/" + std::to_string(workload.pid) + "/ns/";
  UniqueFd mounts(::open((ns + "mnt").c_str(), O_RDONLY | O_CLOEXEC));
  struct stat its{};
  struct stat ours{};
  const bool same = ::stat((ns + "net").c_str(), &its) == 0 && ::fstat(netns, &ours) == 0 &&
                    its.st_dev == ours.st_dev && its.st_ino == ours.st_ino;
  return same ? std::move(mounts) : UniqueFd();
}

// A file that lives on under its bind mount alone: its name is gone at once.
Result<> bind_resolver() {
  if (::access(kResolvConf, F_OK) != 0) return {};  // no resolv.conf: the C library asks 127.0.0.1
  char path[] = "/tmp/heddle-exec-XXXXXX";
  const UniqueFd file(::mkostemp(path, O_CLOEXEC));
  if (!file) return fail_errno(errno, "create a resolv.conf in /tmp");
  const bool written =
      ::fchmod(file.get(), 0644) == 0 && ::write(file.get(), kResolver.data(), kResolver.size()) ==
                                             static_cast<ssize_t>(kResolver.size());
  const int write_error = errno;
  const bool bound = written && ::mount(path, kResolvConf, nullptr, MS_BIND, nullptr) == 0;
  const int error = written ? errno : write_error;
  ::unlink(path);
  if (!bound) return fail_errno(error, "replace /etc/resolv.conf");
  return {};
}

// Where cgroup2 is mounted whole; "" when nowhere (proc(5), mountinfo).
std::string cgroup2_mount() {
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    if (line.find(" - cgroup2 ") == std::string::npos) continue;
    std::istringstream fields(line);
    std::string skipped;
    std::string root;
    std::string point;
    fields >> skipped >> skipped >> skipped >> root >> point;
    if (root == "/") return point;
  }
  return "";
}

// Beside the workload's own process, so that the socket hooks of a daemon with a --cgroup see the
// command, and `heddle rm` ends it with the workload. It runs all the same where this cannot be
// done.
void join_cgroup_of(std::int64_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/cgroup");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("0::/")) continue;  // cgroup2's line
    std::ofstream(cgroup2_mount() + line.substr(3) + "/cgroup.procs") << "0\n";
  }
}

Result<> enter_mounts(const model::Workload& workload, int netns) {
  if (const UniqueFd mounts = mounts_of(workload, netns)) {
    join_cgroup_of(workload.pid);
    // A mount namespace is joined by a thread that shares its root and directory with no other.
    if (::unshare(CLONE_FS) != 0) return fail_errno(errno, "unshare the directory");
    if (::setns(mounts.get(), CLONE_NEWNS) == 0) return {};
    return fail_errno(errno, "enter the mounts of " + workload.name);
  }
  if (::unshare(CLONE_NEWNS) != 0) return fail_errno(errno, "new mount namespace");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return fail_errno(errno, "private mounts");
  }
  return bind_resolver();
}

}  // namespace

Result<model::Workload> find_workload(const std::vector<model::Workload>& workloads,
                                      const std::string& ref) {
  model::View known;
  for (const auto& workload : workloads) known.workloads.emplace(workload.id, workload);
  const auto found = model::find_workload(known, ref);
  if (found) return **found;
  if (found.error().code() != Errc::not_found) return std::unexpected(found.error());
  return fail(Errc::not_found, "no workload '" + ref + "' on this node; see heddle ps");
}

Result<int> exec_in(const model::Workload& workload, const std::vector<std::string>& command) {
  if (::geteuid() != 0) return fail(Errc::denied, "exec enters a namespace: be root");
  if (workload.sandbox.empty()) {
    return fail(Errc::unavailable, "'" + workload.name + "' is not running; start it first");
  }
  const UniqueFd netns(::open(workload.sandbox.c_str(), O_RDONLY | O_CLOEXEC));
  if (!netns) return fail_errno(errno, "sandbox of " + workload.name + ", " + workload.sandbox);
  TRY_DO(enter_mounts(workload, netns.get()));
  if (::setns(netns.get(), CLONE_NEWNET) != 0) {
    return fail_errno(errno, "enter the sandbox of " + workload.name);
  }
  std::vector<char*> argv;
  for (const auto& argument : command) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  return fail_errno(errno, "run " + command.front());
}

}  // namespace heddle::cmd
