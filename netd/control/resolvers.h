#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/unique_fd.h"
#include "dataplane/netns/visitor.h"
#include "netd/holder/late_keeper.h"
#include "netd/model/view.h"

namespace heddle::dns {
class CurrentNames;
class DnsServer;
}  // namespace heddle::dns

namespace heddle::control {

// The resolver of each workload of this node: 127.0.0.11:53, UDP and TCP, in its own namespace. The
// sockets are kept with the Keeper, so that queries sent while the daemon is down wait for the next
// one and are answered. They are bound when update() returns, and kept soon after.
// Threads: the control executor's.
class Resolvers {
 public:
  struct Parts {  // borrowed
    dns::DnsServer& server;
    holder::Keeper& keeper;
    netns::Visitor& visitor;
  };
  // `kept`: what the Keeper had at start; entries `dns/...` are taken out of it.
  Resolvers(const Parts& parts, std::map<std::string, UniqueFd>& kept);

  using ViewPtr = std::shared_ptr<const model::View>;
  // Every workload with an endpoint and a sandbox gets one; names follow the view. A sandbox where
  // the address cannot be bound is logged once and tried again next time.
  void update(const ViewPtr& view, const std::set<std::string>& missing_sandboxes);
  // The same where only these workloads and names of these networks differ from the last view.
  struct Touched {
    std::set<model::Id> workloads;
    std::set<model::Id> networks;
  };
  void update(const ViewPtr& view, const std::set<std::string>& missing_sandboxes,
              const Touched& touched);
  // Waits until the Keeper knows of every socket.
  void finish() { keeper_.finish(); }

 private:
  struct Sockets {
    UniqueFd udp;
    UniqueFd tcp;
  };
  using Networks = std::vector<model::Id>;
  // Without networks or a sandbox there is none.
  void settle(const ViewPtr& view, const std::set<std::string>& missing_sandboxes,
              const model::Id& workload, const Networks& networks);
  void drop_adopted();
  std::optional<Sockets> open(const model::Workload& workload);
  Result<Sockets> bind(const model::Workload& workload);
  void keep(const model::Id& workload, const Sockets& sockets);
  void drop(const model::Id& workload);
  void close(const model::Id& workload);

  dns::DnsServer& server_;
  netns::Visitor& visitor_;
  holder::LateKeeper keeper_;
  std::map<model::Id, Networks> attached_;                         // of those with a resolver
  std::map<model::Id, std::shared_ptr<dns::CurrentNames>> names_;  // by network
  std::map<model::Id, Sockets> adopted_;
  std::set<model::Id> failed_;
};

}  // namespace heddle::control
