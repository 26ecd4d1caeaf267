#pragma once
#include <map>
#include <memory>
#include <set>
#include <string>

#include "common/base/unique_fd.h"
#include "netd/holder/keeper.h"
#include "netd/model/view.h"

namespace heddle::dns {
class DnsServer;
}

namespace heddle::control {

// The resolver of each workload of this node: 127.0.0.11:53, UDP and TCP, in its own namespace. The
// sockets are kept with the Keeper, so that queries sent while the daemon is down wait for the next
// one and are answered.
// Threads: the control executor's.
class Resolvers {
 public:
  // `kept`: what the Keeper had at start; entries `dns/...` are taken out of it.
  Resolvers(dns::DnsServer& server, holder::Keeper& keeper, std::map<std::string, UniqueFd>& kept);

  // Every workload with an endpoint and a sandbox gets one; names follow the view. A sandbox where
  // the address cannot be bound is logged once and tried again next time.
  void update(const model::View& view, const std::set<std::string>& missing_sandboxes);

 private:
  struct Sockets {
    UniqueFd udp;
    UniqueFd tcp;
  };
  bool open(const model::Workload& workload);
  void close(const model::Id& workload);

  dns::DnsServer& server_;
  holder::Keeper& keeper_;
  std::map<model::Id, Sockets> open_;  // by workload
  std::map<model::Id, Sockets> adopted_;
  std::set<model::Id> failed_;
};

}  // namespace heddle::control
