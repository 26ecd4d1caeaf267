#pragma once
#include <cstdint>
#include <map>

#include "netd/model/view.h"

namespace heddle::reconcile {

// The small number that a network has in this node's service and member maps. The VNI for swarm
// networks; for local ones a hash of the id with the top bit set, the next free number when two
// meet. Stable for as long as the networks are.
using NetworkNumbers = std::map<model::Id, std::uint32_t>;

NetworkNumbers number_networks(const model::View& view);

}  // namespace heddle::reconcile
