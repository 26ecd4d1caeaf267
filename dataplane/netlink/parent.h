#pragma once
#include <cstdint>
#include <string>

#include "common/base/result.h"
#include "common/net/link.h"
#include "dataplane/intent/host_state.h"
#include "dataplane/netlink/socket.h"

// Links that lie on another one, of the socket's namespace.
// Source: ip-link(8), linux/if_link.h, Documentation/networking/ipvlan.rst.
namespace heddle::netlink {

// A macvlan or ipvlan inside `netns`. It is down, and has no alias yet.
struct OnParent {
  dataplane::LinkKind kind = dataplane::LinkKind::macvlan;
  dataplane::ParentMode mode = dataplane::ParentMode::bridge;
  IfIndex parent;
  std::string name;
  std::uint32_t mtu = 1500;
  std::uint32_t group = 0;
  std::optional<Mac> mac;  // ipvlan and passthru have their parent's
  int netns = -1;          // borrowed
};

// Errors: `exists` when the name is taken in `netns`; `unsupported` when the kernel lacks the kind,
// `in_use` when the parent serves something that excludes it.
Result<> create_on_parent(Socket& socket, const OnParent& link);

// 802.1Q. Errors: `exists` when the name or the VLAN of that parent is taken; `unsupported`.
struct Vlan {
  std::string name;
  IfIndex parent;
  std::uint16_t id = 0;
  std::uint32_t group = 0;
};
Result<> create_vlan(Socket& socket, const Vlan& vlan);

}  // namespace heddle::netlink
