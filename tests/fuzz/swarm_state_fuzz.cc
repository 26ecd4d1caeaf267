// link: heddle_netd_cluster heddle_netd_api_node_proto
// Bytes of a manager or of the disk become a state or an error; what was known stays then.
#include <cstddef>
#include <cstdint>
#include <string>

#include "common/base/check.h"
#include "netd/api/node.pb.h"
#include "netd/cluster/swarm_copy.h"
#include "tests/fuzz/support/seeded.h"
#include "tests/fuzz/support/target.h"

HEDDLE_FUZZ_TARGET(swarm_state, data, size) {
  using heddle::cluster::SwarmCopy;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  SwarmCopy copy("self");
  heddle::node::v1::State state;
  if (state.ParseFromString(bytes)) {
    const auto applied = copy.apply(state);
    if (!applied) {
      CHECK(!copy.known());
    } else if (*applied && copy.known()) {
      SwarmCopy again("self");
      std::string saved = copy.save("swarm");
      HEDDLE_DEFECT("half a state is saved", saved.resize(saved.size() / 2));
      CHECK(again.load("swarm", saved));
      CHECK(again.revision() == copy.revision());
    }
  }
  SwarmCopy from_disk("self");
  if (!from_disk.load("swarm", bytes)) CHECK(!from_disk.known());
  return 0;
}
