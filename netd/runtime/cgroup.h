#pragma once
#include <string>

#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace heddle::runtime {

// One cgroup2 directory. Source: cgroups(7), kernel Documentation/admin-guide/cgroup-v2.rst.

// Makes it (and the directories above it) when absent, and opens it.
// Errors: `unsupported` when the path is not on a cgroup2 file system.
Result<UniqueFd> ensure_cgroup(const std::string& path);

// Does any process live in it or below? False when it does not exist.
bool populated(const std::string& path);

// cgroup.kill: SIGKILL to all in it and below, new forks included. Absence is success.
// Errors: `invalid` for a path that is no cgroup2 directory, or that we are in ourselves.
Result<> kill_cgroup(const std::string& path);

// SIGTERM to each process in it and below.
void terminate_cgroup(const std::string& path);

// Removes it and all below, deepest first. Errors: `in_use` while processes are left.
Result<> remove_empty_cgroup(const std::string& path);

}  // namespace heddle::runtime
