#include "dataplane/netlink/address.h"

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <cstring>
#include <deque>
#include <optional>

#include "dataplane/netlink/message.h"

namespace heddle::netlink {
namespace {

std::uint8_t family_of(const IpAddr& address) {
  return address.is_v4() ? AF_INET : AF_INET6;
}
std::uint8_t length_of(int length) {
  return static_cast<std::uint8_t>(length);
}

Result<> forgive_absence(Result<> result) {
  if (result || result.error().code() != Errc::not_found) return result;
  return {};
}

// The broadcast address that ip(8) would set with `brd +`; none for /31, /32 and IPv6.
std::optional<IpAddr> broadcast_of(const IfAddr& address) {
  if (!address.address.is_v4() || address.length >= 31) return std::nullopt;
  return IpAddr::v4(address.address.v4_value() | (0xffffffffU >> address.length));
}

Message address_message(int type, int flags, const Address& address) {
  ifaddrmsg header{};
  header.ifa_family = family_of(address.address.address);
  header.ifa_prefixlen = length_of(address.address.length);
  header.ifa_index = address.link.value;
  // A link-local address is no source for what leaves the link. RFC 3927; for IPv6 the kernel
  // knows.
  const bool of_link = address.address.address.is_v4() &&
                       address.address.address.v4_value() >> 16 == 0xa9fe;  // 169.254.0.0/16
  header.ifa_scope = of_link ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  if (!address.address.address.is_v4()) header.ifa_flags = IFA_F_NODAD;
  Message message(type, flags);
  message.header(header).address(IFA_LOCAL, address.address.address);
  message.address(IFA_ADDRESS, address.address.address);
  return message;
}

std::optional<Address> read_address(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWADDR || message.nlmsg_len < NLMSG_LENGTH(sizeof(ifaddrmsg)))
    return std::nullopt;
  const auto* header = static_cast<const ifaddrmsg*>(nlmsg_data(&message));
  const Attributes<IFA_PROTO> attributes(message, sizeof(ifaddrmsg));
  auto ip = attributes.address(IFA_LOCAL);
  if (!ip) ip = attributes.address(IFA_ADDRESS);
  if (!ip) return std::nullopt;
  return Address{.link = {header->ifa_index},
                 .address = {*ip, header->ifa_prefixlen},
                 .protocol = attributes.u8(IFA_PROTO)};
}

Message route_message(int type, int flags, const RouteEntry& route) {
  rtmsg header{};
  header.rtm_family = family_of(route.destination.address());
  header.rtm_dst_len = length_of(route.destination.length());
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_protocol = route.protocol;
  header.rtm_type = RTN_UNICAST;
  header.rtm_scope =
      type == RTM_DELROUTE ? RT_SCOPE_NOWHERE : (route.via ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK);
  if (!route.destination.is_v4() && type == RTM_NEWROUTE) header.rtm_scope = RT_SCOPE_UNIVERSE;
  Message message(type, flags);
  message.header(header).address(RTA_DST, route.destination.address());
  if (route.via) message.address(RTA_GATEWAY, *route.via);
  message.u32(RTA_OIF, route.link.value);
  return message;
}

std::optional<RouteEntry> read_route(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWROUTE || message.nlmsg_len < NLMSG_LENGTH(sizeof(rtmsg)))
    return std::nullopt;
  const auto* header = static_cast<const rtmsg*>(nlmsg_data(&message));
  if (header->rtm_type != RTN_UNICAST || (header->rtm_flags & RTM_F_CLONED)) return std::nullopt;
  if (header->rtm_family != AF_INET && header->rtm_family != AF_INET6) return std::nullopt;
  const Attributes<RTA_MAX> attributes(message, sizeof(rtmsg));
  if (attributes.u32(RTA_TABLE, header->rtm_table) != RT_TABLE_MAIN) return std::nullopt;
  const auto any = header->rtm_family == AF_INET ? IpAddr() : IpAddr::v6({});
  const IpAddr to = attributes.address(RTA_DST).value_or(any);
  if (header->rtm_dst_len > (to.is_v4() ? 32 : 128)) return std::nullopt;
  return RouteEntry{.destination = Prefix::containing(to, header->rtm_dst_len),
                    .via = attributes.address(RTA_GATEWAY),
                    .link = {attributes.u32(RTA_OIF)},
                    .protocol = header->rtm_protocol};
}

Message neighbour_message(int type, int flags, const Neighbour& neighbour) {
  ndmsg header{};
  header.ndm_family = family_of(neighbour.address);
  header.ndm_ifindex = static_cast<int>(neighbour.link.value);
  header.ndm_state = NUD_PERMANENT;
  Message message(type, flags);
  message.header(header).address(NDA_DST, neighbour.address);
  return message;
}

std::string place(IfIndex link) {
  return " on link " + std::to_string(link.value);
}

std::string words(const RouteEntry& route) {
  return route.destination.format() + (route.via ? " via " + route.via->format() : "") +
         place(route.link);
}

std::string words(const Address& address) {
  return address.address.format() + place(address.link);
}

Message new_address(const Address& address) {
  Message message = address_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, address);
  if (const auto broadcast = broadcast_of(address.address))
    message.address(IFA_BROADCAST, *broadcast);
  if (address.protocol) message.u8(IFA_PROTO, address.protocol);
  return message;
}

}  // namespace

Result<> add_address(Socket& socket, const Address& address) {
  Message message = new_address(address);
  return socket.request(message, "add address " + words(address));
}

Result<> set_up_fresh(Socket& socket, const FreshLink& fresh) {
  std::deque<Message> messages;  // steps point to them
  std::vector<Socket::Step> steps;
  const auto add = [&](Message message, std::string what) {
    steps.push_back({&messages.emplace_back(std::move(message)), std::move(what)});
  };
  for (const IfAddr& address : fresh.addresses) {
    const Address entry{fresh.link, address, fresh.protocol};
    add(new_address(entry), "add address " + words(entry));
  }
  for (const IfIndex link : {fresh.loopback, fresh.link}) {
    if (!link.value) continue;
    ifinfomsg header{};
    header.ifi_index = static_cast<int>(link.value);
    header.ifi_change = IFF_UP;
    header.ifi_flags = IFF_UP;
    Message up(RTM_NEWLINK, 0);
    up.header(header);
    add(std::move(up), "set up" + place(link).substr(3));
  }
  for (const RouteEntry& route : fresh.routes) {
    add(route_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route), "add route " + words(route));
  }
  return socket.batch(steps);
}

Result<> delete_address(Socket& socket, const Address& address) {
  Message message = address_message(RTM_DELADDR, 0, address);
  return forgive_absence(
      socket.request(message, "delete address " + address.address.format() + place(address.link)));
}

Result<std::vector<Address>> addresses(Socket& socket) {
  Message message(RTM_GETADDR, NLM_F_DUMP);
  message.header(ifaddrmsg{});
  std::vector<Address> found;
  TRY_DO(socket.query(message, "list addresses", [&](const nlmsghdr& answer) {
    if (auto address = read_address(answer)) found.push_back(*std::move(address));
  }));
  return found;
}

Result<> add_route(Socket& socket, const RouteEntry& route) {
  Message message = route_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route);
  return socket.request(message, "add route " + words(route));
}

Result<> replace_route(Socket& socket, const RouteEntry& route) {
  Message message = route_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route);
  return socket.request(message, "replace route " + words(route));
}

Result<> delete_route(Socket& socket, const RouteEntry& route) {
  Message message = route_message(RTM_DELROUTE, 0, route);
  return forgive_absence(socket.request(message, "delete route " + words(route)));
}

Result<std::vector<RouteEntry>> routes(Socket& socket) {
  Message message(RTM_GETROUTE, NLM_F_DUMP);
  message.header(rtmsg{});
  std::vector<RouteEntry> found;
  TRY_DO(socket.query(message, "list routes", [&](const nlmsghdr& answer) {
    if (auto route = read_route(answer)) found.push_back(*std::move(route));
  }));
  return found;
}

Result<> put_neighbour(Socket& socket, const Neighbour& neighbour) {
  Message message = neighbour_message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, neighbour);
  message.mac(NDA_LLADDR, neighbour.mac);
  return socket.request(message,
                        "set neighbour " + neighbour.address.format() + place(neighbour.link));
}

Result<> delete_neighbour(Socket& socket, const Neighbour& neighbour) {
  Message message = neighbour_message(RTM_DELNEIGH, 0, neighbour);
  return forgive_absence(socket.request(
      message, "delete neighbour " + neighbour.address.format() + place(neighbour.link)));
}

Result<std::vector<Neighbour>> permanent_neighbours(Socket& socket) {
  Message message(RTM_GETNEIGH, NLM_F_DUMP);
  message.header(ndmsg{});
  std::vector<Neighbour> found;
  TRY_DO(socket.query(message, "list neighbours", [&](const nlmsghdr& answer) {
    if (answer.nlmsg_type != RTM_NEWNEIGH || answer.nlmsg_len < NLMSG_LENGTH(sizeof(ndmsg))) return;
    const auto* header = static_cast<const ndmsg*>(nlmsg_data(&answer));
    const Attributes<NDA_MAX> attributes(answer, sizeof(ndmsg));
    const auto address = attributes.address(NDA_DST);
    if (!address || !(header->ndm_state & NUD_PERMANENT)) return;
    found.push_back({.address = *address,
                     .mac = attributes.mac(NDA_LLADDR),
                     .link = {static_cast<std::uint32_t>(header->ndm_ifindex)}});
  }));
  return found;
}

}  // namespace heddle::netlink
