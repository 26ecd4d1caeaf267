#include "dataplane/linux/interface.h"

#include <algorithm>

#include "dataplane/linux/sysctl.h"

namespace heddle::dataplane {
namespace {

template <class T>
bool contains(const std::vector<T>& all, const T& one) {
  return std::ranges::find(all, one) != all.end();
}

Route as_route(const netlink::RouteEntry& entry) {
  return {entry.destination, entry.via};
}

Result<> set_route(netlink::Socket& socket, const std::vector<netlink::RouteEntry>& present,
                   const netlink::RouteEntry& wanted, Undo& undo) {
  const auto old = std::ranges::find_if(present, [&](const netlink::RouteEntry& entry) {
    return entry.destination == wanted.destination && entry.link == wanted.link;
  });
  if (old != present.end() && as_route(*old) == as_route(wanted)) return {};
  if (old != present.end()) {
    TRY_DO(netlink::replace_route(socket, wanted));
    undo.add([&socket, back = *old] { return netlink::replace_route(socket, back); });
    return {};
  }
  auto added = netlink::add_route(socket, wanted);
  if (!added && added.error().code() == Errc::exists)
    return fail(Errc::exists, "there is a route to " + wanted.destination.format() +
                                  " through another interface");
  TRY_DO(std::move(added));
  undo.add([&socket, wanted] { return netlink::delete_route(socket, wanted); });
  return {};
}

}  // namespace

std::vector<Route> in_order(std::vector<Route> routes) {
  std::ranges::stable_partition(routes, [](const Route& route) { return !route.via; });
  return routes;
}

Result<> settle_link(netlink::Socket& socket, const netlink::Link& link, const WantedLink& wanted,
                     Undo& undo) {
  netlink::LinkChange change;
  netlink::LinkChange back;
  if (wanted.mac && *wanted.mac != link.mac) {
    change.mac = wanted.mac;
    back.mac = link.mac;
  }
  if (wanted.mtu != link.mtu) {
    change.mtu = wanted.mtu;
    back.mtu = link.mtu;
  }
  if (wanted.master && *wanted.master != link.master) {
    change.master = wanted.master;
    back.master = link.master;
  }
  if (!change.mac && !change.mtu && !change.master) return {};
  undo.add(
      [&socket, index = link.index, back] { return netlink::change_link(socket, index, back); });
  return netlink::change_link(socket, link.index, change);
}

Result<> settle_ipv6(const std::string& device, const std::vector<IfAddr>& addresses,
                     const Sysctls& given, ProcRoot proc) {
  const bool needed =
      std::ranges::any_of(addresses, [](const IfAddr& a) { return !a.address.is_v4(); });
  const std::string conf = "net/ipv6/conf/" + device;
  const auto set = [&](const std::string& name, const char* value) -> Result<> {
    if (given.contains(name)) return {};
    TRY(const bool there [[maybe_unused]], put_sysctl(name, value, proc));
    return {};
  };
  if (needed) {
    TRY_DO(set(conf + "/accept_ra", "0"));
    // The link-local address comes from a MAC that no other has: usable at once, as ours are.
    TRY_DO(set(conf + "/accept_dad", "0"));
  }
  return set(conf + "/disable_ipv6", needed ? "0" : "1");
}

Result<> settle_rate(netlink::Socket& socket, IfIndex link, const netlink::Rate& wanted,
                     Undo& undo) {
  TRY(const auto seen, netlink::rate_of(socket, link));
  if (wanted.bits == 0 ? !seen : seen && seen->is(wanted)) return {};
  undo.add([&socket, link, back = netlink::Rate{seen ? seen->bits : 0, wanted.mtu}] {
    return back.bits ? netlink::put_rate(socket, link, back) : netlink::remove_rate(socket, link);
  });
  return wanted.bits ? netlink::put_rate(socket, link, wanted) : netlink::remove_rate(socket, link);
}

std::uint64_t rate_seen(const std::vector<netlink::SeenRate>& all, IfIndex link,
                        const netlink::Rate& wanted) {
  const auto seen = std::ranges::find(all, link, &netlink::SeenRate::link);
  if (seen == all.end()) return 0;
  if (seen->is(wanted)) return wanted.bits;
  return seen->bits == wanted.bits / 8 * 8 ? 1 : seen->bits;
}

Result<> settle_addresses(netlink::Socket& socket, const netlink::Link& link,
                          const std::vector<IfAddr>& wanted, Undo& undo) {
  TRY(const auto all, netlink::addresses(socket));
  const auto on_link = [&](const netlink::Address& a) { return a.link == link.index; };
  for (const IfAddr& address : wanted) {
    const netlink::Address entry{link.index, address, netlink::kHeddleProtocol};
    if (std::ranges::any_of(all, [&](const auto& a) { return on_link(a) && a.address == address; }))
      continue;
    TRY_DO(netlink::add_address(socket, entry));
    undo.add([&socket, entry] { return netlink::delete_address(socket, entry); });
  }
  for (const netlink::Address& entry : all) {
    if (!on_link(entry) || entry.protocol != netlink::kHeddleProtocol) continue;
    if (contains(wanted, entry.address)) continue;
    // Else the first address of a subnet would take the others along.
    TRY_DO(write_sysctl("net/ipv4/conf/" + link.name + "/promote_secondaries", "1"));
    TRY_DO(netlink::delete_address(socket, entry));
    undo.add([&socket, entry] { return netlink::add_address(socket, entry); });
  }
  return {};
}

Result<> settle_routes(netlink::Socket& socket, IfIndex link, const std::vector<Route>& wanted,
                       Undo& undo) {
  TRY(const auto present, netlink::routes(socket));
  for (const Route& route : in_order(wanted)) {
    TRY_DO(set_route(socket, present, {route.destination, route.via, link}, undo));
  }
  for (const netlink::RouteEntry& entry : present) {
    if (entry.link != link || entry.protocol != netlink::kHeddleProtocol) continue;
    const bool replaced = std::ranges::any_of(
        wanted, [&](const Route& route) { return route.destination == entry.destination; });
    if (replaced) continue;
    TRY_DO(netlink::delete_route(socket, entry));
    undo.add([&socket, entry] { return netlink::add_route(socket, entry); });
  }
  return {};
}

std::vector<IfAddr> addresses_of(const std::vector<netlink::Address>& all, IfIndex link,
                                 const std::vector<IfAddr>& wanted) {
  std::vector<IfAddr> found;
  for (const netlink::Address& entry : all) {
    if (entry.link != link) continue;
    if (entry.protocol == netlink::kHeddleProtocol || contains(wanted, entry.address))
      found.push_back(entry.address);
  }
  std::ranges::sort(found);
  return found;
}

std::vector<Route> routes_of(const std::vector<netlink::RouteEntry>& all, IfIndex link,
                             const std::vector<Route>& wanted) {
  std::vector<Route> found;
  for (const netlink::RouteEntry& entry : all) {
    if (entry.link != link) continue;
    if (entry.protocol == netlink::kHeddleProtocol || contains(wanted, as_route(entry)))
      found.push_back(as_route(entry));
  }
  std::ranges::sort(found);
  return found;
}

}  // namespace heddle::dataplane
