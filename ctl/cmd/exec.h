#pragma once
#include <string>
#include <vector>

#include "common/base/result.h"
#include "netd/model/objects.h"

namespace heddle::cmd {

// By name, id, or whatever else model::find_workload() takes. Errors: `not_found`, `conflict`.
Result<model::Workload> find_workload(const std::vector<model::Workload>& workloads,
                                      const std::string& ref);

// Becomes `command` in the workload's network namespace. It sees the mounts of the workload's own
// process where Heddle started that; else /etc/resolv.conf is replaced, in a mount namespace of its
// own, by one that names the workload's resolver. Beside such a process it is also in that one's
// cgroup. Returns only when it failed.
// Source: setns(2), mount_namespaces(7), resolv.conf(5).
// Errors: `denied` without root; `not_found` for a sandbox or command that is gone.
Result<int> exec_in(const model::Workload& workload, const std::vector<std::string>& command);

}  // namespace heddle::cmd
