#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/net/ip.h"
#include "netd/driver/node_facts.h"

// What this host has by itself: read, never changed. Source: getifaddrs(3), netdevice(7),
// proc(5) /proc/net/route, /proc/net/ipv6_route.
namespace heddle::control {

struct HostAddress {
  std::string device;
  IfAddr address;
  std::uint32_t mtu = 1500;  // of the device, bytes
};

// Global IPv4 addresses of devices that are up and are not Heddle's own.
Result<std::vector<HostAddress>> host_addresses();

// The only one of them. Errors: `invalid` listing the choices when there are several or none.
Result<IpAddr> only_host_address();

// The device that holds `address`. Errors: `invalid` listing the addresses there are.
Result<HostAddress> find_host_address(const IpAddr& address);

// Whether this host has it now: asked by binding to it, which costs the same with a thousand links.
bool is_host_address(const IpAddr& address);

// Where a node is that was on `device`, when its address is gone: at the only one of that device,
// else the only one of the host. Errors: `invalid`, with the choices. Pure.
Result<HostAddress> choose_home(const std::vector<HostAddress>& addresses,
                                const std::string& device);

struct HostRoute {
  Prefix destination;
  std::string device;
  std::uint32_t metric = 0;
  friend bool operator==(const HostRoute&, const HostRoute&) = default;
};
// Routes as the kernel lists them, default ones too; without those that are down, cached, to
// addresses of this host, or of the link-local and multicast ranges. Lines that do not read are
// left out.
std::vector<HostRoute> parse_routes(std::string_view proc_net_route);
std::vector<HostRoute> parse_routes6(std::string_view proc_net_ipv6_route);

// The names in /proc/net/dev; lines that do not read are left out.
std::vector<std::string> parse_device_names(std::string_view proc_net_dev);

// What plans and the choice of subnets want to know of this host, Heddle's own part included.
struct HostSurvey {
  std::map<std::string, driver::HostDevice> devices;  // without loopback
  std::vector<HostRoute> routes;                      // without default ones
  std::uint32_t egress_mtu = 1500;                    // of the device of the best default route
  std::set<std::string> advertised_devices;           // see driver::NodeFacts
};
// Errors: `unavailable` when the kernel does not tell its routes.
Result<HostSurvey> survey_host();

// The first UDP port from `first` on that nothing on this host has bound: a foreign VXLAN device
// holds its own. Errors: `exhausted` after ten.
Result<std::uint16_t> free_udp_port(std::uint16_t first);

}  // namespace heddle::control
