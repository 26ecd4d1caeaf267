#pragma once
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "dataplane/netlink/address.h"
#include "dataplane/netlink/link.h"
#include "dataplane/netlink/rate.h"

namespace heddle::dataplane {

// The daemon's own namespace, read once for an observation.
struct HostView {
  std::vector<netlink::Link> links;
  std::vector<netlink::Address> addresses;
  std::vector<netlink::RouteEntry> routes;
  std::vector<netlink::Neighbour> neighbours;
  std::vector<netlink::SeenRate> rates;

  static Result<HostView> read(netlink::Socket& socket);
  const netlink::Link* link(IfIndex index) const;

  // The link's name, or `if#12` for one that has gone: an operation that removes accepts both.
  std::string name(IfIndex index) const;
};

std::string name_of_gone(IfIndex index);
std::optional<IfIndex> parse_gone(const std::string& name);  // `if#12`

}  // namespace heddle::dataplane
