#pragma once
#include <sys/resource.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace heddle::process {

// Where and how a process starts. Descriptors are borrowed for the call; -1: as the caller has it.
struct SpawnRequest {
  std::vector<std::string> command;        // command[0] is looked up in PATH of `env`
  std::map<std::string, std::string> env;  // all of it
  std::string directory;                   // empty: /
  std::string cgroup;                      // directory; empty: the caller's
  int netns = -1;
  int mount_ns = -1;
  int uts_ns = -1;
  rlim_t open_files = 0;  // RLIMIT_NOFILE's soft limit; 0: as the caller has it
  std::string hostname;   // with uts_ns -1: a UTS namespace of its own; empty: none
  std::string user;       // NAME or UID, with :GROUP or :GID; empty: the caller's
  // Of a container: its first process (a pidfd). Enters all its namespaces but the user's, the PID
  // namespace too; the command, PATH, the directory and users are the container's then.
  int process = -1;
  std::string root;                           // /proc/PID/root of that process
  std::optional<std::uint64_t> capabilities;  // the most it may have, as bits; absent: all
  int input = -1;                             // -1: /dev/null
  int output = -1;                            // -1: /dev/null
  int error = -1;
};

// Starts a process in a session and process group of its own. The pid is the caller's to wait for.
// Errors: `not_found` for a command that is nowhere in PATH; otherwise the step that failed.
Result<int> spawn(const SpawnRequest& request);

// Replaces the calling, single-threaded process: for an interactive `exec`. Into a container the
// command is a child that it waits for, and ends as. Returns on failure only.
Error replace_process(const SpawnRequest& request);

}  // namespace heddle::process
