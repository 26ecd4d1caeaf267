#pragma once
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/net/ip.h"
#include "netd/cluster/registry.h"
#include "netd/cluster/replica.h"
#include "netd/cluster/voters.h"
#include "netd/identity/authority.h"

namespace heddle::cluster {

// The node API of a manager: gRPC over mTLS. A caller is who its certificate says, and must still
// be a node of the swarm; only Join is open without one, to whoever has the token's secret.
// Threads: libgrpc's, and one more a session; one for housekeeping.
class NodeServer {
 public:
  struct Settings {
    SocketAddr listen;
    model::Id swarm;
    model::Id manager;      // this node
    std::string chain_pem;  // this node's certificate and the root, which joiners look for
    std::string key_pem;
    std::string root_pem;
    std::string etcd_root_pem;  // what further managers are given
    std::string etcd_root_key_pem;
  };
  // The references must outlive the server. Errors: `in_use` when the port is taken.
  static Result<std::unique_ptr<NodeServer>> start(Settings settings, Registry& registry,
                                                   Replica& replica, Voters& voters,
                                                   const identity::Authority& authority,
                                                   const Clock& clock);
  virtual ~NodeServer() = default;  // ends all sessions
};

}  // namespace heddle::cluster
