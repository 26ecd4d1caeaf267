#pragma once
// Internal to this folder: managers are asked how they are.
#include <cstdint>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "netd/cluster/node_client.h"
#include "netd/model/objects.h"

namespace heddle::cluster {

struct ManagerAddress {
  model::Id node;
  std::string target;  // HOST:PORT of its node API
};
struct ManagerHealth {
  model::Id node;
  std::uint64_t member = 0;  // of etcd
  std::uint64_t leader = 0;  // 0: it knows none
  bool voter = false;
  bool good() const { return voter && leader != 0; }
  bool leads() const { return good() && leader == member; }
};

ManagerAddress address_of(const model::Node& node);
std::vector<ManagerAddress> managers_among(const std::vector<model::Node>& nodes);

// Asks all of them at the same time; those that answer, in their order.
std::vector<ManagerHealth> ask_managers(const std::vector<ManagerAddress>& managers,
                                        const Credentials& credentials, Deadline deadline);

}  // namespace heddle::cluster
