#pragma once
#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace heddle::runtime {

// What the child did last before it failed; the text is in launch.cc.
enum class Step : std::int32_t {
  cgroup,
  session,
  signals,
  sandbox,
  mounts,
  resolv_conf,
  directory,
  descriptors,
  user,
  exec,
};

// What the child says: `exec` without an errno right before that, then nothing more when it worked.
struct ChildReport {
  Step step;
  std::int32_t sys_errno;
};

// All that the child needs, in memory that is ready before it is made. Borrowed.
struct ChildPlan {
  struct Move {
    int from;
    int to;
  };
  const char* program;
  int program_fd;  // the same, opened; -1 none
  char* const* argv;
  char* const* envp;
  const char* directory;
  const char* resolv_conf;  // null: no mount namespace
  int sandbox_fd;
  int cgroup_procs_fd;  // joined by writing there; -1: born in its cgroup
  int report_fd;        // pipe; closed by a successful exec
  const Move* moves;    // no `from` is a `to` of another
  std::size_t move_count;
  uid_t uid;
};

// Runs in the child, between fork and exec: system calls only (signal-safety(7)).
[[noreturn]] void run_child(const ChildPlan& plan);

}  // namespace heddle::runtime
