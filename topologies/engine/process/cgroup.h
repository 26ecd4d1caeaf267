#pragma once
#include <cstdint>
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

// What processes in it and below it may use together; 0 or empty: not limited.
struct CgroupLimits {
  double cpu = 0;            // cores
  std::uint64_t memory = 0;  // bytes
  std::string cpu_set;       // 0-1,4
};
// `parent` is the directory above, whose controllers are made available as far as they are so to
// it. Errors: `unsupported`, naming the controllers that this machine has not for labs.
Result<> limit_cgroup(const std::string& parent, const std::string& path,
                      const CgroupLimits& limits);

// Every process in it and below it gets SIGKILL at once; waits until none is left. Absence is
// success. Errors: `timeout`, naming a process that does not go.
Result<> kill_cgroup(const std::string& path, Deadline deadline);

// Removes it and everything below it; there must be no processes. Absence is success.
Result<> remove_cgroup(const std::string& path);

// Processes in it and below it.
std::vector<int> processes_in(const std::string& path);

}  // namespace heddle::process
