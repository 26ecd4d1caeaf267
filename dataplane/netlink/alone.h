#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/net/ip.h"
#include "common/net/link.h"
#include "dataplane/netlink/socket.h"

// Links whose other side is no link of ours. Each is created inside `netns` (borrowed), down.
// Source: ip-link(8), linux/if_link.h, RFC 7348.
namespace heddle::netlink {

struct Dummy {
  std::string name;
  Mac mac;
  std::uint32_t mtu = 1500;
  int netns = -1;
};
// Errors: `exists` when the name is taken; `unsupported` without CONFIG_DUMMY.
Result<> create_dummy(Socket& socket, const Dummy& dummy);

// A VXLAN to one remote. Its packets go out of the socket's own namespace.
struct Tunnel {
  std::string name;
  Mac mac;
  std::uint32_t mtu = 1450;
  IpAddr remote;
  Vni vni;
  std::uint16_t port = 4789;      // UDP, there and here
  std::uint16_t source_port = 0;  // UDP; 0: by flow
  int netns = -1;
};
// Errors: `exists` when the name, or the number with that port, is taken.
Result<> create_tunnel(Socket& socket, const Tunnel& tunnel);

}  // namespace heddle::netlink
