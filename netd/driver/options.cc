#include "netd/driver/options.h"

#include <charconv>

namespace heddle::driver {

Result<> check_options(const model::Network& network, std::span<const OptionHelp> known) {
  for (const auto& [key, value] : network.options) {
    bool found = false;
    std::string accepted;
    for (const OptionHelp& option : known) {
      found = found || option.name == key;
      accepted += (accepted.empty() ? "" : ", ") + std::string(option.name) + " (" +
                  std::string(option.accepts) + ")";
    }
    if (!found) {
      return fail(Errc::invalid, "option '" + key + "' is unknown to driver " + network.driver +
                                     ", which accepts: " + accepted);
    }
  }
  return {};
}

Result<std::optional<std::uint32_t>> parse_mtu(const model::Network& network, MtuRange range) {
  const auto option = network.options.find("mtu");
  if (option == network.options.end()) return std::optional<std::uint32_t>();
  const std::string& text = option->second;
  std::uint32_t mtu = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), mtu);
  if (ec != std::errc{} || end != text.data() + text.size() || mtu < range.least ||
      mtu > range.most) {
    return fail(Errc::invalid, "option mtu '" + text + "' must be a number of bytes from " +
                                   std::to_string(range.least) + " to " +
                                   std::to_string(range.most));
  }
  return std::optional(mtu);
}

Result<> check_subnets(const model::Network& network) {
  if (network.subnets.empty()) {
    return fail(Errc::invalid, "network " + network.name + " has no subnet");
  }
  for (const model::Subnet& subnet : network.subnets) {
    const std::string text = subnet.prefix.format();
    if (!subnet.prefix.is_v4()) {
      return fail(Errc::invalid, "subnet " + text + " is IPv6, which driver " + network.driver +
                                     " does not carry yet; give an IPv4 subnet");
    }
    if (subnet.prefix.length() < 8 || subnet.prefix.length() > 30) {
      return fail(Errc::invalid, "subnet " + text + " must be from /8 to /30");
    }
    const IpAddr first = subnet.prefix.address();
    const IpAddr last = subnet.prefix.at(subnet.prefix.size() - 1);
    if (!subnet.prefix.contains(subnet.gateway) || subnet.gateway == first ||
        subnet.gateway == last) {
      return fail(Errc::invalid, "gateway " + subnet.gateway.format() + " must be an address of " +
                                     text + " other than its first and last");
    }
  }
  return {};
}

const model::Subnet* subnet_of(const model::Network& network, const IpAddr& address) {
  for (const model::Subnet& subnet : network.subnets) {
    if (subnet.prefix.contains(address)) return &subnet;
  }
  return nullptr;
}

}  // namespace heddle::driver
