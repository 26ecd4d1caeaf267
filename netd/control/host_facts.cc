#include "netd/control/host_facts.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <bit>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>

#include "common/base/unique_fd.h"

namespace heddle::control {
namespace {

bool is_ours(std::string_view device) {
  return device.starts_with("hdb") || device.starts_with("hdv") || device.starts_with("hdx");
}

std::uint32_t mtu_of(const std::string& device) {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strncpy(request.ifr_name, device.c_str(), IFNAMSIZ - 1);
  if (::ioctl(socket.get(), SIOCGIFMTU, &request) < 0) return 1500;
  return static_cast<std::uint32_t>(request.ifr_mtu);
}

std::string list_of(const std::vector<HostAddress>& addresses) {
  std::string text;
  for (const HostAddress& a : addresses) {
    text += (text.empty() ? "" : ", ") + a.address.address.format() + " (" + a.device + ")";
  }
  return text.empty() ? "none" : text;
}

}  // namespace

Result<std::vector<HostAddress>> host_addresses() {
  ifaddrs* raw = nullptr;
  if (::getifaddrs(&raw) != 0) return fail_errno(errno, "read this host's addresses");
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> list(raw, ::freeifaddrs);
  std::vector<HostAddress> found;
  for (const ifaddrs* it = raw; it != nullptr; it = it->ifa_next) {
    if (it->ifa_addr == nullptr || it->ifa_addr->sa_family != AF_INET) continue;
    if (!(it->ifa_flags & IFF_UP) || (it->ifa_flags & IFF_LOOPBACK) || is_ours(it->ifa_name)) {
      continue;
    }
    const auto* address = reinterpret_cast<const sockaddr_in*>(it->ifa_addr);
    const auto* mask = reinterpret_cast<const sockaddr_in*>(it->ifa_netmask);
    found.push_back({it->ifa_name,
                     {IpAddr::v4(ntohl(address->sin_addr.s_addr)),
                      std::popcount(mask == nullptr ? 0xffffffffu : mask->sin_addr.s_addr)},
                     mtu_of(it->ifa_name)});
  }
  return found;
}

Result<IpAddr> only_host_address() {
  TRY(const auto addresses, host_addresses());
  if (addresses.size() == 1) return addresses.front().address.address;
  return fail(Errc::invalid, "this host has several addresses or none: " + list_of(addresses) +
                                 "; choose one with --advertise-addr");
}

Result<HostAddress> find_host_address(const IpAddr& address) {
  TRY(const auto addresses, host_addresses());
  for (const HostAddress& a : addresses) {
    if (a.address.address == address) return a;
  }
  return fail(Errc::invalid,
              address.format() + " is not an address of this host; it has " + list_of(addresses));
}

Result<std::vector<HostRoute>> host_routes() {
  std::ifstream file("/proc/thread-self/net/route");
  std::string line;
  if (!std::getline(file, line)) return fail(Errc::unavailable, "cannot read /proc/net/route");
  std::vector<HostRoute> routes;
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string device;
    std::string gateway;
    std::uint32_t destination_be = 0;
    std::uint32_t flags = 0;
    std::uint32_t mask_be = 0;
    std::uint32_t skipped = 0;
    fields >> device >> std::hex >> destination_be >> gateway >> flags >> skipped >> skipped >>
        skipped >> mask_be;
    if (!fields || !(flags & RTF_UP) || mask_be == 0 || is_ours(device)) continue;
    routes.push_back(
        {Prefix::containing(IpAddr::v4(ntohl(destination_be)), std::popcount(mask_be)), device});
  }
  return routes;
}

Result<std::uint16_t> free_udp_port(std::uint16_t first) {
  for (int port = first; port < first + 10 && port <= 65535; ++port) {
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_port = htons(static_cast<std::uint16_t>(port));
    if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&any), sizeof any) == 0) {
      return static_cast<std::uint16_t>(port);
    }
  }
  return fail(Errc::exhausted, "UDP ports " + std::to_string(first) + " to " +
                                   std::to_string(first + 9) +
                                   " are all taken on this host; name a free one for VXLAN");
}

}  // namespace heddle::control
