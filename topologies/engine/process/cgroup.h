#pragma once
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"

// Directories of the cgroup2 hierarchy, as the means to find and end every process of a lab.
// Source: cgroups(7), Documentation/admin-guide/cgroup-v2.rst (cgroup.kill since Linux 5.14).
namespace heddle::process {

// Where cgroup2 is mounted: /sys/fs/cgroup, or .../unified beside version 1.
// Errors: `unsupported` when it is mounted nowhere.
Result<std::string> find_cgroup2();

Result<> create_cgroup(const std::string& path);  // with parents; present is success

// Every process in it and below it gets SIGKILL at once; waits until none is left. Absence is
// success. Errors: `timeout`, naming a process that does not go.
Result<> kill_cgroup(const std::string& path, Deadline deadline);

// Removes it and everything below it; there must be no processes. Absence is success.
Result<> remove_cgroup(const std::string& path);

// Processes in it and below it.
std::vector<int> processes_in(const std::string& path);

}  // namespace heddle::process
