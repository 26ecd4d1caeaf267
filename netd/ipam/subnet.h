#pragma once
#include <span>
#include <string>

#include "common/base/result.h"
#include "netd/model/objects.h"

// Which range a network gets. Pure. Threads: any.
namespace heddle::ipam {

// A range that somebody uses already.
struct TakenNetwork {
  std::string name;
  Prefix prefix;
};
struct HostRoute {
  Prefix prefix;
  std::string device;
};

// The lowest range of `length` in the pools, in their order, that overlaps no network and no route.
// Default routes, and the halves that VPNs replace them with, overlap everything and do not count.
// Errors: `exhausted` with the pools; `invalid` when the length fits no pool.
Result<Prefix> choose_subnet(std::span<const Prefix> pools, int length,
                             std::span<const TakenNetwork> networks,
                             std::span<const HostRoute> routes);

// Errors: `conflict` with the first network or host route that the subnet overlaps; `invalid` for
// ranges that cannot be a network's (multicast, loopback, link-local, 0.0.0.0/8).
Result<> check_subnet(const Prefix& subnet, std::span<const TakenNetwork> networks,
                      std::span<const HostRoute> routes);

// The gateway that a subnet has when nobody names one: its first assignable address.
IpAddr default_gateway(const Prefix& subnet);

}  // namespace heddle::ipam
