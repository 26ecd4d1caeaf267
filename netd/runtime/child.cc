#include "netd/runtime/child.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace heddle::runtime {
namespace {

// Local name services that would answer in the host's stead of the bound resolv.conf: nscd's cache
// and systemd-resolved's socket (nss-resolve(8)). Covered by /dev/null, a connect is refused and
// the C library asks the servers of resolv.conf.
constexpr const char* kHostResolvers[] = {"/run/nscd/socket",
                                          "/run/systemd/resolve/io.systemd.Resolve"};

bool reset_signals() {
  // CLONE_CLEAR_SIGHAND has undone handlers; ignored ones stay ignored.
  struct sigaction action{};
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &action, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  return ::sigprocmask(SIG_SETMASK, &none, nullptr) == 0;
}

bool bind_resolv_conf(const char* file) {
  // mount(2) follows a symlink at the target.
  if (::mount(file, "/etc/resolv.conf", nullptr, MS_BIND, nullptr) < 0) return false;
  for (const char* socket : kHostResolvers) {
    struct stat info{};
    if (::stat(socket, &info) == 0 && ::mount("/dev/null", socket, nullptr, MS_BIND, nullptr) < 0)
      return false;
  }
  return true;
}

bool place_descriptors(const ChildPlan& plan) {
  if (::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) < 0) return false;
  for (std::size_t i = 0; i < plan.move_count; ++i) {
    if (::dup2(plan.moves[i].from, plan.moves[i].to) < 0) return false;
  }
  return true;
}

// No group, no capability, and none to be had by exec of a privileged file (capabilities(7)).
bool become(uid_t uid) {
  for (int capability = 0;; ++capability) {
    if (::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) < 0) break;  // past the kernel's last
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) return false;
  }
  // The raw calls: glibc's would signal its other threads, of which the child has none.
  if (::syscall(SYS_setgroups, 0, nullptr) < 0 || ::syscall(SYS_setresgid, uid, uid, uid) < 0 ||
      ::syscall(SYS_setresuid, uid, uid, uid) < 0)
    return false;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2]{};
  return ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
         ::syscall(SYS_capset, &header, none) == 0 && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

bool report(int report_fd, Step step, int sys_errno) {
  const ChildReport report{step, sys_errno};
  return ::write(report_fd, &report, sizeof report) == sizeof report;
}

}  // namespace

void run_child(const ChildPlan& plan) {
  const auto must = [&](bool done, Step step) {
    if (done) return;
    report(plan.report_fd, step, errno);
    ::_exit(127);
  };
  must(plan.cgroup_procs_fd < 0 || ::write(plan.cgroup_procs_fd, "0", 1) == 1, Step::cgroup);
  must(::setsid() >= 0, Step::session);
  must(reset_signals(), Step::signals);
  ::umask(022);
  must(plan.sandbox_fd < 0 || ::setns(plan.sandbox_fd, CLONE_NEWNET) == 0, Step::sandbox);
  if (plan.resolv_conf != nullptr) {
    // Slaves: what the host mounts later is seen here, what is mounted here is not seen there.
    must(::unshare(CLONE_NEWNS) == 0 &&
             ::mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) == 0,
         Step::mounts);
    must(bind_resolv_conf(plan.resolv_conf), Step::resolv_conf);
  }
  must(::chdir(plan.directory) == 0, Step::directory);
  must(place_descriptors(plan), Step::descriptors);
  must(plan.uid == 0 || become(plan.uid), Step::user);
  must(report(plan.report_fd, Step::exec, 0), Step::exec);
  ::execve(plan.program, plan.argv, plan.envp);
  // Its own right to run the file is what counts, not its way there: /root is closed to proxies.
  if (errno == EACCES && plan.program_fd >= 0)
    ::syscall(SYS_execveat, plan.program_fd, "", plan.argv, plan.envp, AT_EMPTY_PATH);
  must(false, Step::exec);
  ::_exit(127);
}

}  // namespace heddle::runtime
