#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/net/ip.h"

// What this host has by itself: read, never changed. Source: getifaddrs(3), netdevice(7),
// proc(5) /proc/net/route.
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

struct HostRoute {
  Prefix destination;
  std::string device;
};
// IPv4 routes of the main table other than default ones and those over Heddle's own devices.
Result<std::vector<HostRoute>> host_routes();

// The first UDP port from `first` on that nothing on this host has bound: a foreign VXLAN device
// holds its own. Errors: `exhausted` after ten.
Result<std::uint16_t> free_udp_port(std::uint16_t first);

}  // namespace heddle::control
