#include "netd/ipam/subnet.h"

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/check.h"
#include "netd/ipam/number.h"

namespace heddle::ipam {
namespace {

bool counts(const HostRoute& route) {
  return route.prefix.length() > 1;
}

struct SpecialRange {
  const char* prefix;
  const char* what;
};
// RFC 6890, sections 2.2.2 and 2.2.3: what cannot be assigned to interfaces of a network of ours.
constexpr std::array kSpecial{
    SpecialRange{"0.0.0.0/8", "\"this network\""}, SpecialRange{"127.0.0.0/8", "loopback"},
    SpecialRange{"169.254.0.0/16", "link-local"},  SpecialRange{"224.0.0.0/4", "multicast"},
    SpecialRange{"240.0.0.0/4", "reserved"},       SpecialRange{"::/128", "unspecified"},
    SpecialRange{"::1/128", "loopback"},           SpecialRange{"fe80::/10", "link-local"},
    SpecialRange{"ff00::/8", "multicast"},         SpecialRange{"::ffff:0:0/96", "IPv4-mapped"},
};

// A stretch of addresses of one family, end included.
struct Stretch {
  U128 first, last;
  friend auto operator<=>(const Stretch&, const Stretch&) = default;
};

Stretch stretch_of(const Prefix& prefix) {
  return {number_of(prefix.address()), last_number(prefix)};
}

// What is taken of a family, in order.
std::vector<Stretch> obstacles(const Taken& taken, bool v4) {
  std::vector<Stretch> stretches;
  for (const TakenNetwork& network : taken.networks) {
    if (network.prefix.is_v4() == v4) stretches.push_back(stretch_of(network.prefix));
  }
  for (const HostRoute& route : taken.routes) {
    if (counts(route) && route.prefix.is_v4() == v4) stretches.push_back(stretch_of(route.prefix));
  }
  for (const Prefix& prefix : taken.never) {
    if (prefix.is_v4() == v4) stretches.push_back(stretch_of(prefix));
  }
  std::ranges::sort(stretches);
  return stretches;
}

// The lowest free range of a pool, found in one walk along what is taken.
std::optional<Prefix> first_gap(const Prefix& pool, int length, const std::vector<Stretch>& taken) {
  const U128 step = U128{1} << (address_bits(pool) - length);
  const Stretch bounds = stretch_of(pool);
  U128 candidate = bounds.first;
  for (const Stretch& obstacle : taken) {
    if (obstacle.last < candidate) continue;
    if (obstacle.first > candidate + (step - 1)) break;
    candidate = obstacle.last / step * step + step;
    // Past the pool, or past the last address there is.
    if (candidate > bounds.last || candidate < step) return std::nullopt;
  }
  if (candidate > bounds.last) return std::nullopt;
  return Prefix::containing(address_of(candidate, pool.is_v4()), length);
}

}  // namespace

Result<Prefix> choose_subnet(std::span<const Prefix> pools, int length, const Taken& taken) {
  std::string names;
  bool fits = false;
  for (const Prefix& pool : pools) {
    names += (names.empty() ? "" : ", ") + pool.format();
    if (length < pool.length() || length > address_bits(pool) - 2) continue;
    fits = true;
    if (const auto gap = first_gap(pool, length, obstacles(taken, pool.is_v4()))) return *gap;
  }
  if (!fits) {
    return fail(Errc::invalid, "no pool can be divided into /" + std::to_string(length) +
                                   " subnets; the pools are: " + (names.empty() ? "none" : names));
  }
  return fail(Errc::exhausted, "every /" + std::to_string(length) + " of the pools " + names +
                                   " overlaps a network, a route of this host or a range that is "
                                   "never to be chosen; give a subnet");
}

Result<> check_subnet(const Prefix& subnet, const Taken& taken) {
  for (const SpecialRange& special : kSpecial) {
    const auto range = Prefix::parse(special.prefix);
    CHECK(range.has_value());
    if (subnet.overlaps(*range)) {
      return fail(Errc::invalid, "subnet " + subnet.format() + " overlaps the " + special.what +
                                     " range " + special.prefix);
    }
  }
  for (const TakenNetwork& network : taken.networks) {
    if (network.prefix.overlaps(subnet)) {
      return fail(Errc::conflict, "subnet " + subnet.format() + " overlaps network " +
                                      network.name + " (" + network.prefix.format() + ")");
    }
  }
  const std::string route = overlapping_route(subnet, taken.routes);
  if (route.empty()) return {};
  return fail(Errc::conflict, "subnet " + subnet.format() + " overlaps the host route " + route);
}

std::string overlapping_route(const Prefix& subnet, std::span<const HostRoute> routes) {
  for (const HostRoute& route : routes) {
    if (counts(route) && route.prefix.overlaps(subnet)) {
      return route.prefix.format() + " dev " + route.device;
    }
  }
  return "";
}

Prefix unique_local(std::uint64_t global_id) {
  std::array<std::uint8_t, 16> bytes{0xfd};
  for (int i = 0; i < 5; ++i) bytes[1 + i] = static_cast<std::uint8_t>(global_id >> (8 * (4 - i)));
  return Prefix::containing(IpAddr::v6(bytes), 48);
}

}  // namespace heddle::ipam
