#pragma once
#include <cstdint>
#include <vector>

#include "common/base/result.h"
#include "common/net/ip.h"
#include "common/net/link.h"
#include "dataplane/netlink/socket.h"

// Addresses, routes and neighbours of a socket's namespace.
// Source: rtnetlink(7), linux/if_addr.h, linux/rtnetlink.h, linux/neighbour.h.
namespace heddle::netlink {

// Marks what Heddle set: as a route's protocol (rt_protos) and, since Linux 5.18, an address's.
// Others' addresses and routes on the same link are left alone.
inline constexpr std::uint8_t kHeddleProtocol = 72;

struct Address {
  IfIndex link;
  IfAddr address;
  std::uint8_t protocol = 0;  // IFA_PROTO; 0: set by hand, or by another program
};

// IPv6 addresses are usable at once (no duplicate address detection: they come from our pools).
// Errors: `exists` when the link has the address.
Result<> add_address(Socket& socket, const Address& address);
Result<> delete_address(Socket& socket, const Address& address);  // absence is success
Result<std::vector<Address>> addresses(Socket& socket);

// A unicast route of the main table.
struct RouteEntry {
  Prefix destination;
  std::optional<IpAddr> via;  // absent: on the link
  IfIndex link;
  std::uint8_t protocol = kHeddleProtocol;
};

// Errors: `exists` when there is a route to the destination; `unavailable` when `via` cannot be
// reached through the link.
Result<> add_route(Socket& socket, const RouteEntry& route);
Result<> replace_route(Socket& socket, const RouteEntry& route);  // or adds it
Result<> delete_route(Socket& socket, const RouteEntry& route);   // absence is success
Result<std::vector<RouteEntry>> routes(Socket& socket);

// What a link that has nothing yet gets: its addresses, then itself (and `loopback`, if given) up,
// then the routes, in one send. After a failure some of it is done.
struct FreshLink {
  IfIndex link;
  std::vector<IfAddr> addresses;
  std::vector<RouteEntry> routes;           // in the order in which they can be added
  IfIndex loopback = {};                    // 0: is up
  std::uint8_t protocol = kHeddleProtocol;  // of the addresses, as in Address
};
Result<> set_up_fresh(Socket& socket, const FreshLink& fresh);

// A permanent neighbour entry.
struct Neighbour {
  IpAddr address;
  Mac mac;
  IfIndex link;
};

Result<> put_neighbour(Socket& socket, const Neighbour& neighbour);
Result<> delete_neighbour(Socket& socket, const Neighbour& neighbour);  // absence is success
Result<std::vector<Neighbour>> permanent_neighbours(Socket& socket);

}  // namespace heddle::netlink
