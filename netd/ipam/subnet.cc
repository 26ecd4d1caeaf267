#include "netd/ipam/subnet.h"

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/check.h"

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
    SpecialRange{"ff00::/8", "multicast"},
};

// A stretch of IPv4 addresses, end excluded.
struct Stretch {
  std::uint64_t begin, end;
  friend auto operator<=>(const Stretch&, const Stretch&) = default;
};

Stretch stretch_of(const Prefix& prefix) {
  const std::uint64_t begin = prefix.address().v4_value();
  return {begin, begin + prefix.size()};
}

// What is taken, in order.
std::vector<Stretch> obstacles(std::span<const TakenNetwork> networks,
                               std::span<const HostRoute> routes) {
  std::vector<Stretch> taken;
  for (const TakenNetwork& network : networks) {
    if (network.prefix.is_v4()) taken.push_back(stretch_of(network.prefix));
  }
  for (const HostRoute& route : routes) {
    if (counts(route) && route.prefix.is_v4()) taken.push_back(stretch_of(route.prefix));
  }
  std::ranges::sort(taken);
  return taken;
}

// The lowest free range of a pool, found in one walk along what is taken.
std::optional<Prefix> first_gap(const Prefix& pool, int length, const std::vector<Stretch>& taken) {
  const std::uint64_t step = std::uint64_t{1} << (32 - length);
  const Stretch bounds = stretch_of(pool);
  std::uint64_t candidate = bounds.begin;
  for (const Stretch& obstacle : taken) {
    if (obstacle.end <= candidate) continue;
    if (obstacle.begin >= candidate + step) break;
    candidate = (obstacle.end + step - 1) / step * step;
  }
  if (candidate + step > bounds.end) return std::nullopt;
  return Prefix::containing(IpAddr::v4(static_cast<std::uint32_t>(candidate)), length);
}

}  // namespace

Result<Prefix> choose_subnet(std::span<const Prefix> pools, int length,
                             std::span<const TakenNetwork> networks,
                             std::span<const HostRoute> routes) {
  const std::vector<Stretch> taken = obstacles(networks, routes);
  std::string names;
  bool fits = false;
  for (const Prefix& pool : pools) {
    names += (names.empty() ? "" : ", ") + pool.format();
    if (!pool.is_v4() || length < pool.length() || length > 30) continue;
    fits = true;
    if (const auto gap = first_gap(pool, length, taken)) return *gap;
  }
  if (!fits) {
    return fail(Errc::invalid, "no pool can be divided into /" + std::to_string(length) +
                                   " subnets; the pools are: " + (names.empty() ? "none" : names));
  }
  return fail(Errc::exhausted, "every /" + std::to_string(length) + " of the pools " + names +
                                   " overlaps a network or a route of this host; give a subnet");
}

Result<> check_subnet(const Prefix& subnet, std::span<const TakenNetwork> networks,
                      std::span<const HostRoute> routes) {
  for (const SpecialRange& special : kSpecial) {
    const auto range = Prefix::parse(special.prefix);
    CHECK(range.has_value());
    if (subnet.overlaps(*range)) {
      return fail(Errc::invalid, "subnet " + subnet.format() + " overlaps the " + special.what +
                                     " range " + special.prefix);
    }
  }
  for (const TakenNetwork& network : networks) {
    if (network.prefix.overlaps(subnet)) {
      return fail(Errc::conflict, "subnet " + subnet.format() + " overlaps network " +
                                      network.name + " (" + network.prefix.format() + ")");
    }
  }
  for (const HostRoute& route : routes) {
    if (counts(route) && route.prefix.overlaps(subnet)) {
      return fail(Errc::conflict, "subnet " + subnet.format() + " overlaps the host route " +
                                      route.prefix.format() + " dev " + route.device);
    }
  }
  return {};
}

IpAddr default_gateway(const Prefix& subnet) {
  if (subnet.is_v4()) return subnet.at(subnet.length() >= 31 ? 0 : 1);
  auto bytes = subnet.address().bytes();
  if (subnet.length() < 127) bytes.back() |= 1;
  return IpAddr::v6(bytes);
}

}  // namespace heddle::ipam
