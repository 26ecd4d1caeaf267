#pragma once
#include <string>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "netd/runtime/runtime.h"

namespace heddle::runtime {

struct Launched {
  ProcessId process;
  UniqueFd pidfd;
};

// Starts one process of `spec`: a child of the calling process, born in its cgroup, with signals as
// at boot. Between fork and exec only system calls are made, on memory prepared before, so that
// other threads' locks do not matter. Threads: any.
Result<Launched> launch(const Processes::Spec& spec);

// Start time of a child that is not reaped yet, which may have ended already.
Result<ProcessId> identify_child(std::int64_t pid);

// The file that execve(2) is to run: `command` itself when it has a slash (relative to
// `directory`), else the first executable in the directories of `path`. Errors: `not_found`,
// `denied`.
Result<std::string> find_program(const std::string& command, const std::string& path,
                                 const std::string& directory);

}  // namespace heddle::runtime
