#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "common/base/result.h"
#include "dataplane/intent/host_state.h"
#include "dataplane/linux/host_view.h"
#include "dataplane/linux/undo.h"
#include "dataplane/netlink/socket.h"

namespace heddle::dataplane {

// The bridges of local networks: links of our group in the daemon's namespace.
class Bridges final {
 public:
  Bridges(netlink::Socket& socket, std::uint32_t group) : socket_(socket), group_(group) {}

  // Errors: `exists` when the name belongs to a link that is not ours, or is no bridge.
  Result<> ensure(const Bridge& bridge);
  Result<> remove(const std::string& name);
  // A bridge that is down shows with MTU 0.
  std::map<std::string, Bridge> observe(const HostView& view, const HostState& wanted) const;

 private:
  Result<netlink::Link> find_or_create(const Bridge& bridge, Undo& undo);

  netlink::Socket& socket_;
  const std::uint32_t group_;
};

}  // namespace heddle::dataplane
