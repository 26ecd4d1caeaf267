#pragma once
#include <optional>
#include <set>

#include "netd/cluster/cluster.h"
#include "netd/control/objects.h"
#include "netd/model/view.h"

namespace heddle::control {

// Puts together what this node owns, what the managers last said, and what its probes found. Pure.
// This node's endpoints are its own word; of the swarm's only other nodes' are taken. An endpoint
// whose network is gone is left out. What is as it was in `before` is shared with it.
model::View build_view(const Objects& own, const std::optional<cluster::SwarmState>& swarm,
                       const std::set<model::Id>& unreachable, const model::View& before = {});

// This node's endpoints of swarm networks: what it reports.
std::vector<model::Endpoint> reported_endpoints(const model::View& view);

}  // namespace heddle::control
