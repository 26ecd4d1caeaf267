#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/unique_fd.h"
#include "netd/holder/keeper.h"
#include "netd/mesh/plan.h"

namespace heddle::mesh {

// The listening sockets of one proxy, immutable once open. Their owner is the daemon (and its
// Keeper); proxies come and go with duplicates.
class SocketSet final {
 public:
  struct Socket {
    std::string name;
    UniqueFd fd;
  };
  explicit SocketSet(std::vector<Socket> sockets) : sockets_(std::move(sockets)) {}

  const std::vector<Socket>& all() const { return sockets_; }
  int find(const std::string& name) const;  // borrowed; -1 none

  // The same for the same sockets, also after a restart of the daemon: `outbound:4711,...` with the
  // sockets' inode numbers.
  std::string identity() const;

 private:
  std::vector<Socket> sockets_;  // in the order of the plan, metrics last
};

inline constexpr const char* kMetricsSocket = "metrics";

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
  // the proxy's set until now, of which all that still fits is taken over.
  // Errors: `not_found` without the sandbox; `exists` naming the address that another program uses.
  Result<std::shared_ptr<const SocketSet>> ensure(const ProxyPlan& plan, const std::string& metrics,
                                                  const SocketSet* previous);
  // Ends what a proxy listened on: dropped at the Keeper, and shut down for whoever has a
  // duplicate. `sockets`: the set in use, or null.
  void drop(const model::Id& proxy, const SocketSet* sockets);

 private:
  explicit SocketStore(holder::Keeper& keeper) : keeper_(keeper) {}
  Result<> open_all(const ProxyPlan& plan, const std::string& metrics,
                    std::vector<SocketSet::Socket>& sockets);
  Result<UniqueFd> take_or_open(const ProxyPlan& plan, const SocketPlan& socket, int netns);
  Result<UniqueFd> take_or_open_metrics(const model::Id& proxy, const std::string& path);
  UniqueFd take(const std::string& name);
  void give_back(const model::Id& proxy, std::vector<SocketSet::Socket> sockets);
  void drop_others(const model::Id& proxy, const std::vector<SocketSet::Socket>& sockets);
  Result<> keep(const model::Id& proxy, const std::string& name, int fd);

  holder::Keeper& keeper_;
  std::map<std::string, UniqueFd> kept_;  // open, and in no set now: of the last daemon's life
  std::map<model::Id, std::vector<std::string>> names_;  // at the Keeper
};

// `proxy/<id>/<socket>`.
std::string keeper_name(const model::Id& proxy, const std::string& socket);

}  // namespace heddle::mesh
