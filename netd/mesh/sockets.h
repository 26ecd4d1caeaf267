#pragma once
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/base/unique_fd.h"
#include "netd/holder/keeper.h"
#include "netd/mesh/plan.h"

namespace heddle::mesh {

inline constexpr const char* kMetricsSocket = "metrics";

// The listening sockets of one proxy, immutable once open. Their owner is the daemon (and its
// Keeper); proxies come and go with duplicates.
class SocketSet final {
 public:
  struct Socket {
    std::string name;  // the plan's
    UniqueFd fd;
    // What the proxy knows it by: `outbound:4711`, with the socket's inode number; `metrics`.
    std::string handed;
  };
  // `sandbox`: the namespace that the proxy runs in, borrowed.
  SocketSet(std::vector<Socket> sockets, int sandbox);

  const std::vector<Socket>& all() const { return sockets_; }
  int find(const std::string& name) const;  // borrowed; -1 none
  int find_handed(const std::string& handed) const;
  std::string handed_name(const std::string& name) const;  // "" none

  // What a running proxy cannot be given anew, the same after a restart of the daemon:
  // `net:4026532001,metrics:4711`.
  const std::string& place() const { return place_; }

 private:
  std::vector<Socket> sockets_;  // in the order of the plan, metrics last
  std::string place_;
};

// Opens and keeps proxies' sockets: those that the Keeper has are used again when they are still
// what the plan wants (their namespace, their address), others are made. Threads: one at a time.
// May block for the time of a few system calls and a helper thread.
class SocketStore final {
 public:
  // Takes what the Keeper has under "proxy/".
  static Result<std::unique_ptr<SocketStore>> open(holder::Keeper& keeper);

  // Names under which something is kept for no proxy that `ids` has: dropped.
  void keep_only(const std::vector<model::Id>& ids);

  // The set for a plan. `metrics`: path of a unix stream listener, mode 0600. `previous` (or null):
  // the proxy's set until now, of which all that still fits is taken over. The rest is retired: it
  // goes on listening, and comes back when it is wanted again, until drop_retired().
  // Errors: `not_found` without the sandbox; `exists` naming the address that another program uses.
  Result<std::shared_ptr<const SocketSet>> ensure(const ProxyPlan& plan, const std::string& metrics,
                                                  const SocketSet* previous);
  // Names of what is retired, but for those that the proxy uses still (by handed names).
  std::vector<std::string> retired(const model::Id& proxy,
                                   const std::set<std::string>& in_use) const;
  void drop_retired(const model::Id& proxy, const std::vector<std::string>& which);
  // Ends what a proxy listened on: dropped at the Keeper, and shut down for whoever has a
  // duplicate. `sockets`: the set in use, or null.
  void drop(const model::Id& proxy, const SocketSet* sockets);

 private:
  explicit SocketStore(holder::Keeper& keeper) : keeper_(keeper) {}
  Result<> open_all(const ProxyPlan& plan, const std::string& metrics, int sandbox,
                    std::vector<SocketSet::Socket>& sockets);
  Result<UniqueFd> take_or_open(const ProxyPlan& plan, const SocketPlan& socket, int netns);
  Result<UniqueFd> take_or_open_metrics(const model::Id& proxy, const std::string& path);
  UniqueFd take(const std::string& name);
  void give_back(const model::Id& proxy, std::vector<SocketSet::Socket> sockets);
  bool end_retired(const ProxyPlan& plan, std::uint16_t port);
  Result<> keep(const model::Id& proxy, const std::string& name, int fd);

  holder::Keeper& keeper_;
  std::map<std::string, UniqueFd> kept_;  // open, and in no set now: retired, or the last daemon's
  std::map<model::Id, std::vector<std::string>> names_;  // at the Keeper
};

// `proxy/<id>/<socket>`.
std::string keeper_name(const model::Id& proxy, const std::string& socket);

}  // namespace heddle::mesh
