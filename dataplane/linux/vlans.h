#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "common/base/result.h"
#include "dataplane/intent/host_state.h"
#include "dataplane/linux/host_view.h"
#include "dataplane/netlink/socket.h"

namespace heddle::dataplane {

// VLAN devices of the host's own, as parents of endpoints: links of our group.
class Vlans final {
 public:
  Vlans(netlink::Socket& socket, std::uint32_t group) : socket_(socket), group_(group) {}

  // Errors: `not_found` without the parent; `exists` when the name, or that VLAN of the parent, is
  // another link's; `unavailable` while the parent is down; `unsupported` by the kernel.
  Result<> ensure(const VlanDevice& vlan);
  Result<> remove(const std::string& name);
  // One that is down shows as VLAN 0.
  std::map<std::string, VlanDevice> observe(const HostView& view) const;

 private:
  netlink::Socket& socket_;
  const std::uint32_t group_;
};

}  // namespace heddle::dataplane
