#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace heddle::runtime {

// A process for good: a pid alone may be reused. proc(5), field starttime.
struct ProcessId {
  std::int64_t pid = 0;
  std::string start;
  friend auto operator<=>(const ProcessId&, const ProcessId&) = default;
};

// Processes in sandboxes: workloads of `heddle run`, and proxies. They are in a cgroup each,
// outlive the daemon (not its children any more after a restart: watched by pidfd then), and are
// ended whole through their cgroup. Source:  pidfd_open(2), cgroups(7) cgroup.kill, setns(2),
// mount_namespaces(7). Threads: any; `on_exit` comes on a thread of its own.
class Processes {
 public:
  struct Spec {
    std::string name;                  // for messages
    std::string sandbox;               // network namespace path
    std::vector<std::string> command;  // command[0] found in PATH of `environment`, else of ours
    std::map<std::string, std::string> environment;
    std::string directory = "/";
    std::string cgroup;       // cgroup2 directory, made when absent
    std::string log_file;     // stdout and stderr, appended; "" /dev/null
    std::string resolv_conf;  // file bound over /etc/resolv.conf in a private mount namespace; ""
    std::uint32_t uid = 0;    // proxies: 65534, without capabilities or new privileges
    std::map<int, int> descriptors;  // child's number -> ours (borrowed); all others are closed
  };
  static Result<std::unique_ptr<Processes>> create();
  virtual ~Processes() = default;  // forgets the watches; the processes go on

  // Errors: `not_found` names a missing command, directory or sandbox: told before this returns (a
  // failed exec is reported through a close-on-exec pipe).
  virtual Result<ProcessId> start(const Spec& spec) = 0;

  virtual bool alive(const ProcessId& process) = 0;

  // Calls once with the wait status as a shell counts it (exit code, or 128 + signal; -1 when it
  // was not our child), at once when it is dead already.
  virtual Result<> watch(const ProcessId& process, std::function<void(int status)> on_exit) = 0;

  // SIGTERM to the process, after `grace` cgroup.kill for all that is left in `cgroup`, which is
  // then removed. Returns at once; `on_done` when it is over.
  virtual void stop(const ProcessId& process, const std::string& cgroup,
                    std::chrono::milliseconds grace, std::function<void()> on_done) = 0;
};

// cgroup.kill, wait until empty (bounded), rmdir, also below. Absence is success.
Result<> remove_cgroup(const std::string& cgroup);

// Start time of a living process. Errors: `not_found`.
Result<ProcessId> identify(std::int64_t pid);

}  // namespace heddle::runtime
