#pragma once
#include <vector>

#include "common/base/result.h"
#include "topologies/engine/plan/plan.h"

// Inside this folder only: interfaces without another end in the lab.
namespace heddle::fabric {

// Up, with their addresses, in namespaces that are there. `switch_netns`: where the other side of a
// dummy is on a kernel without dummies.
Result<> create_devices(const std::vector<const plan::Device*>& devices,
                        const std::string& switch_netns);
Result<> delete_devices(const std::vector<const plan::Device*>& devices);  // absence is success

}  // namespace heddle::fabric
