#include "netd/control/host_ports.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <set>
#include <string>

#include "common/base/unique_fd.h"

namespace heddle::control {
namespace {

constexpr int kTries = 128;

using model::PublishedProtocol;

// The socket that is bound, or errno. Port 0: the kernel chooses.
std::expected<UniqueFd, int> bind_to(const IpAddr& address, std::uint16_t port,
                                     PublishedProtocol protocol) {
  const int family = address.is_v4() ? AF_INET : AF_INET6;
  const int type = protocol == PublishedProtocol::tcp ? SOCK_STREAM : SOCK_DGRAM;
  UniqueFd socket(::socket(family, type | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return std::unexpected(errno);
  const int on = 1;
  // What a listener has is refused all the same; connections that end are not in the way.
  if (protocol == PublishedProtocol::tcp) {
    (void)::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  }
  int bound = 0;
  if (address.is_v4()) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = address.v4_be();
    bound = ::bind(socket.get(), reinterpret_cast<sockaddr*>(&to), sizeof to);
  } else {
    (void)::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(port);
    std::memcpy(&to.sin6_addr, address.bytes().data(), 16);
    bound = ::bind(socket.get(), reinterpret_cast<sockaddr*>(&to), sizeof to);
  }
  if (bound != 0) return std::unexpected(errno);
  return socket;
}

std::uint16_t port_of(const UniqueFd& socket) {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&name), &size) != 0) return 0;
  return ntohs(name.ss_family == AF_INET ? reinterpret_cast<sockaddr_in*>(&name)->sin_port
                                         : reinterpret_cast<sockaddr_in6*>(&name)->sin6_port);
}

std::string addresses_of_host(bool v4) {
  ifaddrs* raw = nullptr;
  if (::getifaddrs(&raw) != 0) return "unknown ones";
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> list(raw, ::freeifaddrs);
  std::set<IpAddr> found;
  for (const ifaddrs* it = raw; it != nullptr; it = it->ifa_next) {
    if (it->ifa_addr == nullptr || it->ifa_addr->sa_family != (v4 ? AF_INET : AF_INET6)) continue;
    if (v4) {
      const auto* in = reinterpret_cast<const sockaddr_in*>(it->ifa_addr);
      found.insert(IpAddr::v4(ntohl(in->sin_addr.s_addr)));
    } else {
      const auto* in = reinterpret_cast<const sockaddr_in6*>(it->ifa_addr);
      std::array<std::uint8_t, 16> bytes{};
      std::memcpy(bytes.data(), &in->sin6_addr, 16);
      if (!IN6_IS_ADDR_LINKLOCAL(&in->sin6_addr)) found.insert(IpAddr::v6(bytes));
    }
  }
  std::string text;
  for (const IpAddr& address : found) text += (text.empty() ? "" : ", ") + address.format();
  return text.empty() ? "none" : text;
}

}  // namespace

Result<> check_host_address(const IpAddr& address) {
  const Prefix link_local = Prefix::containing(IpAddr::v6({0xfe, 0x80}), 10);
  if (link_local.contains(address)) {
    return fail(Errc::invalid, "ports cannot be published on " + address.format() +
                                   ", which means something on one link only");
  }
  if (!address.is_multicast()) {
    const auto bound = bind_to(address, 0, PublishedProtocol::udp);
    // A host without IPv6 has no sockets of it, and none of its addresses.
    if (bound || (bound.error() != EADDRNOTAVAIL && bound.error() != EAFNOSUPPORT &&
                  bound.error() != EINVAL)) {
      return {};
    }
  }
  return fail(Errc::invalid, address.format() + " is not an address of this host, which has " +
                                 addresses_of_host(address.is_v4()));
}

Result<> check_port_free(const IpAddr& address, std::uint16_t port, PublishedProtocol protocol) {
  if (protocol == PublishedProtocol::sctp) return {};
  const auto bound = bind_to(address, port, protocol);
  if (bound || bound.error() != EADDRINUSE) return {};
  const bool tcp = protocol == PublishedProtocol::tcp;
  return fail(Errc::in_use, "port " + SocketAddr{address, port}.format() + (tcp ? "/tcp" : "/udp") +
                                " is in use by a program of this host (ss -" +
                                (tcp ? "tlnp" : "ulnp") + " 'sport = :" + std::to_string(port) +
                                "' names it); stop that or publish another port");
}

Result<std::uint16_t> choose_ports(const std::vector<IpAddr>& addresses, std::uint16_t count,
                                   PublishedProtocol protocol,
                                   const std::function<bool(std::uint16_t first)>& taken) {
  const auto all_free = [&](std::uint16_t first) {
    for (std::uint32_t port = first; port < std::uint32_t{first} + count; ++port) {
      for (const IpAddr& address : addresses) {
        if (!check_port_free(address, static_cast<std::uint16_t>(port), protocol)) return false;
      }
    }
    return true;
  };
  const IpAddr any = addresses.empty() ? IpAddr() : addresses.front();
  for (int i = 0; i < kTries; ++i) {
    std::uint16_t first = 0;
    {
      const auto bound = bind_to(any, 0, protocol);
      if (!bound) return fail_errno(bound.error(), "choose a port of this host");
      first = port_of(*bound);
    }
    if (first == 0 || std::uint32_t{first} + count - 1 > 65535) continue;
    if (!taken(first) && all_free(first)) return first;
  }
  return fail(Errc::exhausted, "found no " + std::to_string(count) +
                                   " free ports in a row on this host; name the host's port");
}

}  // namespace heddle::control
