#pragma once
#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "netd/mesh/catalog.h"
#include "netd/mesh/config.h"
#include "netd/mesh/plan.h"
#include "netd/mesh/unix_listener.h"

namespace heddle::mesh {

// The service heddle.proxy.v1.ProxyConfig on a unix socket: one Feed per proxy that subscribes.
// Connections are accepted here, so that who connects is known before gRPC sees a byte.
// Threads: any; callbacks come on gRPC's threads and must not block.
class ConfigServer {
 public:
  struct Acknowledged {
    Ack ack;
    // Set when what was accepted is the last that the proxy was told: the sockets that it uses.
    std::optional<std::set<std::string>> sockets;
  };
  struct Settings {
    std::string socket;  // replaced when it exists; mode 0600, owned by `uid`
    uid_t uid = 0;       // besides root, whose connections are accepted
    // May this peer subscribe as this proxy?
    std::function<bool(const Peer&, const model::Id& proxy)> allowed;
    std::function<void(const Peer&, const model::Id& proxy, const Acknowledged&)> on_ack;
  };
  using Plans = std::map<model::Id, std::shared_ptr<const ProxyPlan>>;

  static Result<std::unique_ptr<ConfigServer>> start(Settings settings);
  virtual ~ConfigServer() = default;  // ends the streams; proxies work on with what they have

  // What is true from now on; proxies hear of what concerns them. Until the first call nobody is
  // answered.
  virtual void update(std::shared_ptr<const Catalog> catalog, Plans plans) = 0;
};

}  // namespace heddle::mesh
