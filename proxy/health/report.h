#pragma once
#include <map>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "proxy/snapshot/config.h"
#include "proxy/upstream/shared.h"

namespace heddle::health {

using Groups = std::map<std::string, std::shared_ptr<const snapshot::TargetGroup>>;

// How the targets of all groups are, and what their budgets have under way, as JSON for people
// (`/backends`).
std::string describe_backends(const Groups& groups, upstream::Shared& shared, Deadline now);

}  // namespace heddle::health
