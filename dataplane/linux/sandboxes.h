#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "dataplane/intent/host_state.h"
#include "dataplane/netlink/address.h"
#include "dataplane/netlink/link.h"
#include "dataplane/netlink/rate.h"
#include "dataplane/netns/visitor.h"

namespace heddle::dataplane {

// What is seen inside one sandbox.
struct SandboxView {
  std::uint64_t cookie = 0;
  std::optional<int> id;  // as in netlink::Link::peer_netns of the daemon's links
  std::vector<netlink::Link> links;
  std::vector<netlink::Address> addresses;
  std::vector<netlink::RouteEntry> routes;
  std::vector<netlink::SeenRate> rates;
  std::map<std::string, std::string> sysctls;  // of those asked for, those that there are
};

// What to read inside a sandbox beside its cookie: its links, and of its settings these.
struct Look {
  bool links = false;
  std::set<std::string> sysctls;
};

// Looks into those that exist; the others are left out.
Result<std::map<SandboxPath, SandboxView>> look_into(netlink::Socket& host,
                                                     const netns::Visitor& visitor,
                                                     const std::map<SandboxPath, Look>& sandboxes);

// Which sandbox a namespace cookie belongs to. A path can be made anew as another namespace, and a
// namespace outlives its path, so both directions are remembered from what was applied; what was
// applied by an earlier process is known by cookie only.
class Cookies final {
 public:
  void learn(const SandboxPath& sandbox, std::uint64_t cookie);
  // Forgets all others: what no map holds any more needs no name.
  void keep_only(const std::set<std::uint64_t>& cookies);

  // The name that an observation gives to a cookie: a wanted sandbox that has it now, the path it
  // was applied under if no wanted sandbox stands there, else `cookie:N`.
  SandboxPath name(std::uint64_t cookie, const std::map<SandboxPath, SandboxView>& views) const;

  // The path under which it was applied or last seen; none: unknown.
  std::optional<SandboxPath> path(std::uint64_t cookie) const;

  // Every cookie that `sandbox` may mean: `cookie:N` itself, the namespace there now, and those
  // remembered. Empty: nothing to remove.
  std::set<std::uint64_t> meant_by(const SandboxPath& sandbox, const netns::Visitor& visitor) const;

 private:
  std::map<std::uint64_t, SandboxPath> known_;
  std::set<std::pair<SandboxPath, std::uint64_t>> by_path_;  // the same, the other way round
};

}  // namespace heddle::dataplane
