#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/unique_fd.h"
#include "dataplane/netns/visitor.h"
#include "netd/dns/server.h"
#include "netd/holder/late_keeper.h"
#include "netd/model/index.h"
#include "netd/model/view.h"

namespace heddle::control {

// What the host is given of DNS.
struct HostDns {
  std::optional<SocketAddr> address;  // absent: the host is not served
  dns::Audience audience = dns::Audience::host;
  // The resolvers that other names are asked of, as the host's configuration says now.
  std::function<std::vector<SocketAddr>()> upstreams = {};
};

// The resolver of each workload of this node: 127.0.0.11:53, UDP and TCP, in its own namespace; and
// where it is wanted the host's, on an address of the host. The sockets are kept with the Keeper,
// so that queries sent while the daemon is down wait for the next one and are answered. They are
// bound when update() returns, and kept soon after.
// Threads: the control executor's, apart from host_state().
class Resolvers {
 public:
  struct Parts {  // borrowed
    dns::DnsServer& server;
    holder::Keeper& keeper;
    const netns::Visitor& visitor;
  };
  // `kept`: what the Keeper had at start; entries `dns/...` are taken out of it.
  Resolvers(const Parts& parts, std::map<std::string, UniqueFd>& kept, HostDns host = {});

  using ViewPtr = std::shared_ptr<const model::View>;
  // Every workload with an endpoint and a sandbox gets one; names follow the view. A sandbox where
  // the address cannot be bound is logged once and tried again next time.
  void update(const ViewPtr& view, const std::set<std::string>& missing_sandboxes);
  // The same where only these workloads and names of these networks differ from the last view;
  // `index` is the view's.
  struct Touched {
    std::set<model::Id> workloads;
    std::set<model::Id> networks;
  };
  void update(const ViewPtr& view, const model::Index& index,
              const std::set<std::string>& missing_sandboxes, const Touched& touched);
  // Waits until the Keeper knows of every socket.
  void finish() { keeper_.finish(); }

  // Follows what changed on the host: its resolvers, or the address that was taken is free.
  void look_at_host();
  // Where the host's resolver is, or that and why it is not; any thread.
  std::string host_state() const;

 private:
  using Sockets = dns::DnsServer::Sockets;
  using Networks = std::vector<model::Id>;
  // Without networks or a sandbox there is none.
  void settle(const ViewPtr& view, const std::set<std::string>& missing_sandboxes,
              const model::Id& workload, const Networks& networks);
  void drop_adopted();
  // The earlier daemon's, or new ones in the namespace.
  Result<Sockets> obtain(const model::Id& id, const std::string& sandbox,
                         const SocketAddr& address);
  Result<Sockets> bind(const std::string& sandbox, const SocketAddr& address);
  std::optional<Sockets> open(const model::Workload& workload);
  void keep(const model::Id& id, const Sockets& sockets);
  void drop(const model::Id& id);
  void close(const model::Id& workload);
  void open_host();
  // Its names, when there are other networks than before.
  void settle_host();
  void set_host_state(std::string state);

  dns::DnsServer& server_;
  const netns::Visitor& visitor_;
  holder::LateKeeper keeper_;
  std::map<model::Id, Networks> attached_;                         // of those with a resolver
  std::map<model::Id, std::shared_ptr<dns::CurrentNames>> names_;  // by network
  std::map<model::Id, Sockets> adopted_;
  std::set<model::Id> failed_;
  const HostDns host_;
  std::optional<Sockets> host_sockets_;    // until the server has them
  std::optional<Networks> host_networks_;  // served
  std::vector<SocketAddr> upstreams_;
  mutable std::mutex host_mutex_;
  std::string host_state_;  // guarded by it
};

}  // namespace heddle::control
