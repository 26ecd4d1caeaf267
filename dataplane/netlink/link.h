#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/net/link.h"
#include "dataplane/intent/host_state.h"
#include "dataplane/netlink/socket.h"

// Links of the network namespace that a socket belongs to.
// Source: rtnetlink(7), veth(4), linux/if_link.h.
namespace heddle::netlink {

struct Link {
  IfIndex index;
  std::string name;
  std::string alias;  // IFLA_IFALIAS
  std::string kind;   // bridge, veth, vxlan, macvlan; empty for a device of hardware, or lo
  Mac mac;
  std::uint32_t mtu = 0;          // bytes
  std::uint32_t group = 0;        // IFLA_GROUP
  IfIndex master;                 // 0: none
  IfIndex peer;                   // IFLA_LINK: a veth's other end, a macvlan's parent
  std::optional<int> peer_netns;  // IFLA_LINK_NETNSID; absent: this namespace
  bool up = false;
  bool running = false;  // it is up, has a carrier, and the kernel sends by it
  std::uint16_t vxlan_port = 0;
  bool vxlan_external = false;      // collect-metadata
  bool multicast_snooping = true;   // a bridge's
  bool isolated = false;            // a bridge's port
  std::uint16_t vlan = 0;           // 802.1Q identifier
  dataplane::ParentMode mode = {};  // a macvlan's or ipvlan's
};

struct Bridge {
  std::string name;
  Mac mac;
  std::uint32_t mtu = 1500;
  std::uint32_t group = 0;
  bool multicast_snooping = true;
};

// A pair whose other end is created inside `peer_netns` under its final name. It is down there.
struct Veth {
  std::string name;
  Mac mac;
  std::uint32_t mtu = 1500;  // both ends
  std::uint32_t group = 0;   // this end
  IfIndex master;            // 0: none
  std::string peer_name;
  Mac peer_mac;
  int peer_netns = -1;  // borrowed; -1: this namespace
  int netns = -1;       // where this end is created; borrowed; -1: this namespace
  bool up = false;      // this end
};

// A collect-metadata device: the tunnel of each packet is its metadata. RFC 7348. It is down.
struct Vxlan {
  std::string name;
  std::uint16_t port = 4789;  // UDP
  std::uint32_t mtu = 1450;
  std::uint32_t group = 0;
};

// What is set stays as it is where absent.
struct LinkChange {
  std::optional<Mac> mac = {};
  std::optional<std::uint32_t> mtu = {};
  std::optional<IfIndex> master = {};  // 0: released
  std::optional<std::uint32_t> group = {};
  std::optional<std::string> name = {};  // the link must be down
  std::optional<std::string> alias = {};
  std::optional<bool> up = {};
};

// Errors: `exists` when a name is taken, here or (veth) where the peer goes: `find_link` tells
// which.
Result<> create_bridge(Socket& socket, const Bridge& bridge);
Result<Link> create_veth(Socket& socket, const Veth& veth);  // this end in this namespace
// Many, in one send and without looking any of them up. After a failure some are there.
// Linux before 6.13 also wants the names of this end to be free in the socket's own namespace.
Result<> create_veths(Socket& socket, const std::vector<Veth>& veths);
Result<> create_vxlan(Socket& socket, const Vxlan& vxlan);

Result<> change_link(Socket& socket, IfIndex index, const LinkChange& change);

enum class Switch { off, on };
Result<> set_multicast_snooping(Socket& socket, IfIndex bridge, Switch to);
Result<> set_isolated(Socket& socket, IfIndex port, Switch to);  // the port has a bridge

// Sets up a link whose other end is down yet, and which is to have no IPv6 address, not even one of
// its own making: that would come with the carrier.
Result<> raise_without_ipv6(Socket& socket, IfIndex index);
// For a link that is down: it will have none when it is up, whatever its other end is.
Result<> keep_without_ipv6(Socket& socket, IfIndex index);

// Absence is success. One costs a grace period (20 ms); a whole group not much more.
Result<> delete_link(Socket& socket, IfIndex index);
Result<> delete_group(Socket& socket, std::uint32_t group);

Result<std::vector<Link>> links(Socket& socket);
Result<std::optional<Link>> find_link(Socket& socket, const std::string& name);
Result<std::optional<Link>> find_link(Socket& socket, IfIndex index);

}  // namespace heddle::netlink
