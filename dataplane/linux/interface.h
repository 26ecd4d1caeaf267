#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "dataplane/intent/host_state.h"
#include "dataplane/linux/sysctl.h"
#include "dataplane/linux/undo.h"
#include "dataplane/netlink/address.h"
#include "dataplane/netlink/link.h"
#include "dataplane/netlink/rate.h"

// Bringing one existing link to what is wanted, in the socket's namespace; whatever is done is
// added to `undo`. Used for both ends of an attachment, bridges and the VXLAN device.
namespace heddle::dataplane {

struct WantedLink {
  std::optional<Mac> mac = {};
  std::uint32_t mtu = 1500;
  std::optional<IfIndex> master = {};
};
Result<> settle_link(netlink::Socket& socket, const netlink::Link& link, const WantedLink& wanted,
                     Undo& undo);

// No IPv6 on a link without IPv6 addresses (it would take part in every network's multicast, and in
// what strangers advertise there), and no routes or addresses learnt from advertisements on others.
// Silent where the kernel has no IPv6.
// Settings that `given` has are left to it.
using Sysctls = std::map<std::string, std::string>;
Result<> settle_ipv6(const std::string& device, const std::vector<IfAddr>& addresses,
                     const Sysctls& given = {}, ProcRoot proc = {});

// The limit on what `link` sends; 0: none of ours.
Result<> settle_rate(netlink::Socket& socket, IfIndex link, const netlink::Rate& wanted,
                     Undo& undo);

// What an observation shows of a limit: the wanted one when it is there as we make it, 1 when its
// bucket was altered, else what there is.
std::uint64_t rate_seen(const std::vector<netlink::SeenRate>& all, IfIndex link,
                        const netlink::Rate& wanted);

// Adds what is missing, then takes away what we once set and nobody wants any more. Addresses that
// others set stay.
Result<> settle_addresses(netlink::Socket& socket, const netlink::Link& link,
                          const std::vector<IfAddr>& wanted, Undo& undo);

// The same for routes through `link`. Errors: `exists` when there is a route to the same
// destination through another link.
Result<> settle_routes(netlink::Socket& socket, IfIndex link, const std::vector<Route>& wanted,
                       Undo& undo);

// Routes on the link come first: gateways are reached through them.
std::vector<Route> in_order(std::vector<Route> routes);

// What an observation shows: ours, and those wanted that are there, sorted.
std::vector<IfAddr> addresses_of(const std::vector<netlink::Address>& all, IfIndex link,
                                 const std::vector<IfAddr>& wanted);
std::vector<Route> routes_of(const std::vector<netlink::RouteEntry>& all, IfIndex link,
                             const std::vector<Route>& wanted);

}  // namespace heddle::dataplane
