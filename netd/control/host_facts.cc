#include "netd/control/host_facts.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <tuple>

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

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  if (!(text << file.rdbuf())) return fail(Errc::unavailable, "cannot read " + path);
  return text.str();
}

// "" when there is none.
std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// linux/ipv6_route.h: of addresses rather than networks, or of the moment.
constexpr std::uint32_t kSpecialFlags = 0x80000000 /* RTF_LOCAL */ | 0x00100000 /* RTF_ANYCAST */ |
                                        0x01000000 /* RTF_CACHE */ | RTF_REJECT;

std::optional<IpAddr> parse_hex_address(const std::string& digits) {
  std::array<std::uint8_t, 16> bytes{};
  if (digits.size() != 2 * bytes.size()) return std::nullopt;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char* at = digits.data() + 2 * i;
    if (std::from_chars(at, at + 2, bytes[i], 16).ptr != at + 2) return std::nullopt;
  }
  return IpAddr::v6(bytes);
}

// Link-local and multicast: every link has them.
bool is_of_links(const Prefix& prefix) {
  const auto& bytes = prefix.address().bytes();
  return bytes[0] == 0xff || (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80);
}

std::map<std::string, driver::HostDevice> host_devices(const std::vector<std::string>& names) {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  std::map<std::string, driver::HostDevice> devices;
  for (const std::string& name : names) {
    // Host sides of endpoints, of which there may be thousands, are nobody's parents.
    if (name.starts_with("hdv")) continue;
    ifreq request{};
    std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
    if (::ioctl(socket.get(), SIOCGIFFLAGS, &request) < 0) continue;  // it went
    const auto flags = request.ifr_flags;
    if (flags & IFF_LOOPBACK) continue;
    devices[name] = {mtu_of(name), (flags & IFF_UP) != 0};
  }
  return devices;
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

bool is_host_address(const IpAddr& address) {
  if (!address.is_v4()) return true;  // underlays are IPv4
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = address.v4_be();
  return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0 ||
         errno != EADDRNOTAVAIL;
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

Result<HostAddress> choose_home(const std::vector<HostAddress>& addresses,
                                const std::string& device) {
  std::vector<HostAddress> there;
  std::ranges::copy_if(addresses, std::back_inserter(there),
                       [&](const HostAddress& each) { return each.device == device; });
  if (there.size() == 1) return there.front();
  if (addresses.size() == 1) return addresses.front();
  return fail(Errc::invalid, addresses.empty()
                                 ? "this host has no address now"
                                 : "this host has several addresses, and it is not clear which one "
                                   "takes its place: " +
                                       list_of(addresses));
}

std::vector<HostRoute> parse_routes(std::string_view text) {
  std::istringstream lines{std::string(text)};
  std::string line;
  std::getline(lines, line);  // the titles
  std::vector<HostRoute> routes;
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    std::string device;
    std::string gateway;
    std::uint32_t destination_be = 0;
    std::uint32_t flags = 0;
    std::uint32_t skipped = 0;
    std::uint32_t metric = 0;
    std::uint32_t mask_be = 0;
    fields >> device >> std::hex >> destination_be >> gateway >> flags >> skipped >> skipped >>
        std::dec >> metric >> std::hex >> mask_be;
    if (!fields || !(flags & RTF_UP)) continue;
    routes.push_back({Prefix::containing(IpAddr::v4(ntohl(destination_be)), std::popcount(mask_be)),
                      device, metric});
  }
  return routes;
}

std::vector<HostRoute> parse_routes6(std::string_view text) {
  std::istringstream lines{std::string(text)};
  std::string line;
  std::vector<HostRoute> routes;
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    std::string destination;
    std::string skipped;
    std::string device;
    std::uint32_t length = 0;
    std::uint32_t metric = 0;
    std::uint32_t flags = 0;
    fields >> destination >> std::hex >> length >> skipped >> skipped >> skipped >> metric >>
        skipped >> skipped >> flags >> device;
    const auto address = parse_hex_address(destination);
    if (!fields || !address || length > 128) continue;
    if (!(flags & RTF_UP) || (flags & kSpecialFlags) || device == "lo") continue;
    const Prefix prefix = Prefix::containing(*address, static_cast<int>(length));
    if (prefix.length() > 0 && is_of_links(prefix)) continue;
    routes.push_back({prefix, device, metric});
  }
  return routes;
}

// Two lines of titles, then `  NAME: NUMBERS`. proc(5).
std::vector<std::string> parse_device_names(std::string_view text) {
  std::vector<std::string> names;
  for (int line = 0; !text.empty(); ++line) {
    const std::string_view whole = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(whole.size() + 1, text.size()));
    const auto end = whole.find(':');
    const auto start = whole.find_first_not_of(' ');
    if (line < 2 || end == std::string_view::npos || start >= end) continue;
    names.emplace_back(whole.substr(start, end - start));
  }
  return names;
}

Result<HostSurvey> survey_host() {
  TRY(const std::string v4, read_file("/proc/thread-self/net/route"));
  std::vector<HostRoute> routes = parse_routes(v4);
  // Absent without IPv6.
  if (const auto v6 = read_file("/proc/thread-self/net/ipv6_route")) {
    std::ranges::move(parse_routes6(*v6), std::back_inserter(routes));
  }
  HostSurvey survey;
  // Listing links by netlink costs ten times as much where there are thousands, and keeps the
  // kernel's lock of links from others.
  TRY(const std::string devices, read_file("/proc/thread-self/net/dev"));
  survey.devices = host_devices(parse_device_names(devices));
  const HostRoute* best = nullptr;
  for (const HostRoute& route : routes) {
    if (route.destination.length() > 0) {
      survey.routes.push_back(route);
      continue;
    }
    const bool better = best == nullptr || std::tuple(!route.destination.is_v4(), route.metric) <
                                               std::tuple(!best->destination.is_v4(), best->metric);
    if (better) best = &route;
  }
  if (best != nullptr) survey.egress_mtu = mtu_of(best->device);
  if (first_line("/proc/sys/net/ipv6/conf/all/forwarding") == "0") {
    for (const auto& [name, device] : survey.devices) {
      if (first_line("/proc/sys/net/ipv6/conf/" + name + "/accept_ra") == "1") {
        survey.advertised_devices.insert(name);
      }
    }
  }
  return survey;
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
