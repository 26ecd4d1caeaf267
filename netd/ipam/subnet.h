#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

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

// Default routes, and the halves that VPNs replace them with, overlap everything and do not count.
struct Taken {
  std::vector<TakenNetwork> networks;
  std::vector<HostRoute> routes;
  std::vector<Prefix> never;  // not to be chosen; may be asked for
};

// The lowest range of `length` in the pools, in their order, that overlaps nothing taken. Pools may
// be of either family; a length belongs to one.
// Errors: `exhausted` with the pools; `invalid` when the length fits no pool.
Result<Prefix> choose_subnet(std::span<const Prefix> pools, int length, const Taken& taken);

// Errors: `conflict` with the first network or host route that the subnet overlaps; `invalid` for
// ranges that cannot be a network's (multicast, loopback, link-local, 0.0.0.0/8).
Result<> check_subnet(const Prefix& subnet, const Taken& taken);

// `10.8.0.0/16 dev tun0`; "" when none overlaps the subnet.
std::string overlapping_route(const Prefix& subnet, std::span<const HostRoute> routes);

// The /48 of a global id, of which 40 bits count. RFC 4193, section 3.1.
Prefix unique_local(std::uint64_t global_id);

}  // namespace heddle::ipam
