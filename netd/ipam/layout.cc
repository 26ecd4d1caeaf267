#include "netd/ipam/layout.h"

#include <algorithm>

#include "netd/ipam/number.h"

namespace heddle::ipam {
namespace {

model::Subnet* subnet_of(std::vector<model::Subnet>& subnets, const IpAddr& address) {
  const auto found = std::ranges::find_if(
      subnets, [&](const model::Subnet& subnet) { return subnet.prefix.contains(address); });
  return found == subnets.end() ? nullptr : &*found;
}

std::string list_of(const std::vector<model::Subnet>& subnets) {
  std::string text;
  for (const auto& subnet : subnets) text += (text.empty() ? "" : ", ") + subnet.prefix.format();
  return text.empty() ? "none is given" : text;
}

std::unexpected<Error> in_none(const std::string& what, const std::vector<model::Subnet>& subnets) {
  return fail(Errc::invalid,
              what + " is in none of the network's subnets (" + list_of(subnets) + ")");
}

Result<> check_host_address(const std::string& what, const Prefix& subnet, const IpAddr& address) {
  if (is_host_address(subnet, address)) return {};
  return fail(Errc::invalid, what + " is the first or last address of " + subnet.format() +
                                 ", which nobody can have");
}

Result<> place_gateway(const IpAddr& gateway, std::vector<model::Subnet>& subnets) {
  const std::string what = "gateway " + gateway.format();
  model::Subnet* subnet = subnet_of(subnets, gateway);
  if (subnet == nullptr) return in_none(what, subnets);
  TRY_DO(check_host_address(what, subnet->prefix, gateway));
  if (!subnet->gateway.is_unspecified()) {
    return fail(Errc::conflict, what + ": subnet " + subnet->prefix.format() + " has gateway " +
                                    subnet->gateway.format() + " already");
  }
  subnet->gateway = gateway;
  return {};
}

Result<> place_range(const Prefix& range, std::vector<model::Subnet>& subnets,
                     std::set<IpAddr>& done) {
  const std::string what = "range " + range.format();
  model::Subnet* subnet = subnet_of(subnets, range.address());
  if (subnet == nullptr || !subnet->prefix.contains(range)) return in_none(what, subnets);
  if (!done.insert(subnet->prefix.address()).second) {
    return fail(Errc::invalid, what + ": subnet " + subnet->prefix.format() +
                                   " gets a range already (" + subnet->range->format() +
                                   "); one per subnet");
  }
  subnet->range = range;
  return {};
}

Result<> place_reserved(const std::string& name, const IpAddr& address,
                        std::vector<model::Subnet>& subnets) {
  const std::string what = "reserved address " + name + "=" + address.format();
  if (name.empty() || name.size() > 63) {
    return fail(Errc::invalid, what + " needs a name of 1 to 63 bytes: NAME=ADDRESS");
  }
  model::Subnet* subnet = subnet_of(subnets, address);
  if (subnet == nullptr) return in_none(what, subnets);
  TRY_DO(check_host_address(what, subnet->prefix, address));
  if (subnet->gateway == address) {
    return fail(Errc::invalid, what + " is the gateway of " + subnet->prefix.format());
  }
  for (const auto& [other, taken] : subnet->reserved) {
    if (taken != address || other == name) continue;
    return fail(Errc::invalid, what + " is reserved as " + other + " already");
  }
  subnet->reserved[name] = address;
  return {};
}

// The subnets' own order within a family stays.
void sort_families(std::vector<model::Subnet>& subnets) {
  std::ranges::stable_partition(subnets,
                                [](const model::Subnet& subnet) { return subnet.prefix.is_v4(); });
}

Result<> check_apart(const std::vector<model::Subnet>& subnets) {
  for (std::size_t i = 0; i < subnets.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const Prefix& a = subnets[j].prefix;
      const Prefix& b = subnets[i].prefix;
      if (a == b) return fail(Errc::invalid, "subnet " + a.format() + " is given twice");
      if (a.overlaps(b)) {
        return fail(Errc::invalid, "subnets " + a.format() + " and " + b.format() + " overlap");
      }
    }
  }
  return {};
}

Result<> place_parts(const Layout& layout, std::vector<model::Subnet>& subnets) {
  for (const IpAddr& gateway : layout.gateways) TRY_DO(place_gateway(gateway, subnets));
  std::set<IpAddr> ranged;
  for (const Prefix& range : layout.ranges) TRY_DO(place_range(range, subnets, ranged));
  for (const auto& [name, address] : layout.reserved) {
    TRY_DO(place_reserved(name, address, subnets));
  }
  return {};
}

Result<> check_grown(const model::Subnet& subnet) {
  if (subnet.gateway.is_unspecified() || is_host_address(subnet.prefix, subnet.gateway)) return {};
  return fail(Errc::internal,
              "gateway " + subnet.gateway.format() + " does not fit " + subnet.prefix.format());
}

// A present subnet that the prefix replaces; null for a new one.
Result<model::Subnet*> find_grown(std::vector<model::Subnet>& subnets, const Prefix& prefix) {
  for (model::Subnet& subnet : subnets) {
    if (subnet.prefix == prefix) {
      return fail(Errc::exists, "the network has subnet " + prefix.format() + " already");
    }
    if (!subnet.prefix.overlaps(prefix)) continue;
    if (prefix.contains(subnet.prefix) && prefix.address() == subnet.prefix.address()) {
      return &subnet;
    }
    return fail(Errc::invalid, "subnet " + prefix.format() + " overlaps the network's " +
                                   subnet.prefix.format() +
                                   "; to grow that, give a shorter prefix of the same address");
  }
  return nullptr;
}

}  // namespace

Result<std::vector<model::Subnet>> lay_out(const Layout& layout) {
  std::vector<model::Subnet> subnets;
  for (const Prefix& prefix : layout.subnets) subnets.push_back({prefix, {}, {}, {}});
  TRY_DO(check_apart(subnets));
  TRY_DO(place_parts(layout, subnets));
  sort_families(subnets);
  return subnets;
}

Result<std::vector<model::Subnet>> lay_out_update(const std::vector<model::Subnet>& present,
                                                  const Layout& added,
                                                  const std::map<IpAddr, std::string>& used) {
  std::vector<model::Subnet> subnets = present;
  std::vector<model::Subnet> fresh;
  for (const Prefix& prefix : added.subnets) {
    TRY(model::Subnet * grown, find_grown(subnets, prefix));
    if (grown == nullptr) {
      fresh.push_back({prefix, {}, {}, {}});
      continue;
    }
    grown->prefix = prefix;
    TRY_DO(check_grown(*grown));
  }
  subnets.insert(subnets.end(), fresh.begin(), fresh.end());
  TRY_DO(check_apart(subnets));
  for (const auto& [name, address] : added.reserved) {
    const auto holder = used.find(address);
    if (holder == used.end()) continue;
    return fail(Errc::in_use, "reserved address " + name + "=" + address.format() +
                                  " is in use by " + holder->second);
  }
  TRY_DO(place_parts(added, subnets));
  sort_families(subnets);
  return subnets;
}

IpAddr default_gateway(const model::Subnet& subnet) {
  const bool v4 = subnet.prefix.is_v4();
  const U128 first = number_of(subnet.prefix.address());
  const U128 step = subnet.prefix.length() >= address_bits(subnet.prefix) - 1 ? 0 : 1;
  for (U128 at = first + step; at <= last_number(subnet.prefix); ++at) {
    const IpAddr address = address_of(at, v4);
    const bool taken = std::ranges::any_of(
        subnet.reserved, [&](const auto& reserved) { return reserved.second == address; });
    if (!taken) return address;
  }
  return address_of(first + step, v4);  // every address is reserved: checks tell
}

bool is_host_address(const Prefix& subnet, const IpAddr& address) {
  if (!subnet.contains(address)) return false;
  if (subnet.length() >= address_bits(subnet) - 1) return true;
  if (address == subnet.address()) return false;
  return !subnet.is_v4() || number_of(address) != last_number(subnet);
}

std::uint64_t count_free(const model::Subnet& subnet, const std::vector<Prefix>& extent,
                         const std::set<IpAddr>& used) {
  std::set<IpAddr> taken = used;
  for (const auto& [name, address] : subnet.reserved) taken.insert(address);
  if (!subnet.gateway.is_unspecified()) taken.insert(subnet.gateway);
  if (subnet.prefix.length() < address_bits(subnet.prefix) - 1) {
    taken.insert(subnet.prefix.address());
    if (subnet.prefix.is_v4()) taken.insert(address_of(last_number(subnet.prefix), true));
  }
  U128 free = 0;
  for (const Prefix& part : extent) {
    if (!part.overlaps(subnet.prefix)) continue;
    const Prefix within = part.contains(subnet.prefix) ? subnet.prefix : part;
    free += last_number(within) - number_of(within.address()) + 1;
    free -= static_cast<U128>(std::ranges::count_if(
        taken, [&](const IpAddr& address) { return within.contains(address); }));
  }
  constexpr U128 kMost = U128{1} << 63;
  return static_cast<std::uint64_t>(std::min(free, kMost));
}

}  // namespace heddle::ipam
