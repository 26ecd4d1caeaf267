#include "netd/driver/options.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "common/base/nearest.h"

namespace heddle::driver {
namespace {

struct Lengths {
  int least, most;
};
constexpr Lengths kV4{8, 30};
constexpr Lengths kV6{16, 126};

const OptionHelp* find_option(std::span<const OptionHelp> known, std::string_view name) {
  for (const OptionHelp& option : known) {
    if (name == option.name || (!option.docker.empty() && name == option.docker)) return &option;
  }
  return nullptr;
}

std::unexpected<Error> unknown_option(std::string_view driver, std::span<const OptionHelp> known,
                                      const std::string& name) {
  std::vector<std::string_view> names;
  std::string all;
  for (const OptionHelp& option : known) {
    names.push_back(option.name);
    if (!option.docker.empty()) names.push_back(option.docker);
    all += (all.empty() ? "" : ", ") + std::string(option.name) + " (" +
           std::string(option.accepts) + ")";
  }
  std::string text =
      "option '" + name.substr(0, 80) + "' is unknown to driver " + std::string(driver);
  if (const auto near = nearest(name, names))
    text += "; did you mean '" + std::string(*near) + "'?";
  return fail(Errc::invalid, text + (all.empty() ? "; it has no options" : "; it accepts: " + all));
}

Result<std::string> normalise_flag(const OptionHelp& option, const std::string& value) {
  std::string lower = value;
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const char* yes : {"true", "on", "yes", "1"}) {
    if (lower == yes) return std::string("true");
  }
  for (const char* no : {"false", "off", "no", "0"}) {
    if (lower == no) return std::string("false");
  }
  return fail(Errc::invalid, "option " + std::string(option.name) + " '" + value.substr(0, 40) +
                                 "' must be true or false");
}

// 0 when it is none.
std::uint16_t vlan_number(std::string_view text) {
  std::uint16_t vlan = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), vlan);
  return ec == std::errc{} && end == text.data() + text.size() && vlan <= 4094 ? vlan : 0;
}

std::unexpected<Error> no_such_parent(const std::string& device, const NodeFacts& facts) {
  std::string known;
  for (const auto& [name, it] : facts.devices) known += (known.empty() ? "" : ", ") + name;
  return fail(Errc::not_found, "option parent: this host has no network device '" +
                                   device.substr(0, 40) + "'; it has " +
                                   (known.empty() ? "none" : known));
}

}  // namespace

Result<Options> normalise_options(std::string_view driver, std::span<const OptionHelp> known,
                                  const Options& given) {
  Options options;
  for (const auto& [name, value] : given) {
    const OptionHelp* option = find_option(known, name);
    if (option == nullptr) return unknown_option(driver, known, name);
    std::string normal = value;
    if (option->value == OptionHelp::Value::flag && !value.empty()) {
      TRY(normal, normalise_flag(*option, value));
    }
    if (!options.emplace(option->name, std::move(normal)).second) {
      return fail(Errc::invalid, "options '" + std::string(option->name) + "' and '" +
                                     std::string(option->docker) +
                                     "' are one option under two names; give it once");
    }
  }
  return options;
}

Result<> check_options(const model::Network& network, std::span<const OptionHelp> known) {
  for (const auto& [name, value] : network.options) {
    const OptionHelp* option = find_option(known, name);
    if (option == nullptr || option->name != name) {
      return unknown_option(network.driver, known, name);
    }
    if (option->value == OptionHelp::Value::flag && value != "true" && value != "false") {
      return fail(Errc::invalid,
                  "option " + name + " '" + value.substr(0, 40) + "' must be true or false");
    }
  }
  return {};
}

bool flag(const model::Network& network, const std::string& option, bool otherwise) {
  const auto found = network.options.find(option);
  return found == network.options.end() ? otherwise : found->second == "true";
}

std::string text(const model::Network& network, const std::string& option) {
  const auto found = network.options.find(option);
  return found == network.options.end() ? "" : found->second;
}

Result<std::optional<std::uint32_t>> parse_mtu(const model::Network& network, MtuRange range) {
  const auto option = network.options.find("mtu");
  if (option == network.options.end()) return std::optional<std::uint32_t>();
  const std::string& text = option->second;
  const bool v6 = has_family(network, Family::v6);
  if (v6) range.least = std::max(range.least, kLeastMtuV6);
  std::uint32_t mtu = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), mtu);
  if (ec != std::errc{} || end != text.data() + text.size() || mtu < range.least ||
      mtu > range.most) {
    return fail(Errc::invalid,
                "option mtu '" + text.substr(0, 40) + "' must be a number of bytes from " +
                    std::to_string(range.least) + " to " + std::to_string(range.most) +
                    (v6 ? " in a network with IPv6 (RFC 8200, section 5)" : ""));
  }
  return std::optional(mtu);
}

Result<std::uint32_t> parse_affinity(const model::Network& network) {
  constexpr std::uint32_t kMost = 86'400;
  const auto option = network.options.find("affinity");
  if (option == network.options.end()) return 0;
  const std::string& text = option->second;
  std::uint32_t seconds = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (ec == std::errc{} && end == text.data() + text.size() && seconds >= 1 && seconds <= kMost) {
    return seconds;
  }
  return fail(Errc::invalid, "option affinity '" + text.substr(0, 40) +
                                 "' must be a number of seconds from 1 to " +
                                 std::to_string(kMost));
}

std::uint32_t mtu_or(const model::Network& network, std::uint32_t otherwise) {
  const std::uint32_t least = has_family(network, Family::v6) ? kLeastMtuV6 : kLeastMtu;
  const auto mtu = parse_mtu(network, {});
  return std::max(mtu ? mtu->value_or(otherwise) : otherwise, least);
}

Family family_of(const Prefix& prefix) {
  return prefix.is_v4() ? Family::v4 : Family::v6;
}

std::string_view format(Family family) {
  return family == Family::v4 ? "IPv4" : "IPv6";
}

bool has_family(const model::Network& network, Family family) {
  return std::ranges::any_of(network.subnets, [&](const model::Subnet& subnet) {
    return family_of(subnet.prefix) == family;
  });
}

Result<> check_subnets(const model::Network& network) {
  if (network.subnets.empty()) {
    return fail(Errc::invalid, "network " + network.name + " has no subnet");
  }
  for (const model::Subnet& subnet : network.subnets) {
    const std::string text = subnet.prefix.format();
    const bool v4 = subnet.prefix.is_v4();
    const Lengths lengths = v4 ? kV4 : kV6;
    if (subnet.prefix.length() < lengths.least || subnet.prefix.length() > lengths.most) {
      return fail(Errc::invalid, "subnet " + text + " must be from /" +
                                     std::to_string(lengths.least) + " to /" +
                                     std::to_string(lengths.most));
    }
    if (subnet.gateway.is_unspecified()) continue;
    const IpAddr first = subnet.prefix.address();
    const bool last = v4 && subnet.gateway == subnet.prefix.at(subnet.prefix.size() - 1);
    if (!subnet.prefix.contains(subnet.gateway) || subnet.gateway == first || last) {
      return fail(Errc::invalid, "gateway " + subnet.gateway.format() + " must be an address of " +
                                     text + " other than its first" + (v4 ? " and last" : ""));
    }
  }
  return {};
}

Result<> check_v4_only(const model::Network& network) {
  for (const model::Subnet& subnet : network.subnets) {
    if (subnet.prefix.is_v4()) continue;
    return fail(Errc::unsupported, "subnet " + subnet.prefix.format() + " is IPv6, which driver " +
                                       network.driver + " does not carry yet; give IPv4 subnets");
  }
  return {};
}

const model::Subnet* subnet_of(const model::Network& network, const IpAddr& address) {
  for (const model::Subnet& subnet : network.subnets) {
    if (subnet.prefix.contains(address)) return &subnet;
  }
  return nullptr;
}

Result<> check_device_name(std::string_view option, const std::string& name) {
  const auto ok = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  const bool good = !name.empty() && name.size() <= kMaxIfName && name != "." && name != ".." &&
                    name.front() != '-' && std::ranges::all_of(name, ok);
  if (good && !name.starts_with("hdv") && !name.starts_with("hdx") && name != "lo" &&
      name != "all" && name != "default") {
    return {};
  }
  return fail(Errc::invalid, "option " + std::string(option) + " '" + name.substr(0, 40) +
                                 "' must be 1 to 15 of letters, digits, '-', '_' and '.', not "
                                 "start with '-', hdv or hdx, and not be lo, all or default");
}

std::string parent_device(const model::Network& network) {
  const std::string vlan = text(network, "vlan");
  return text(network, "parent") + (vlan.empty() ? "" : "." + vlan);
}

Parent parent_of(const model::Network& network, const NodeFacts& facts) {
  const std::string device = parent_device(network);
  const bool asked = !text(network, "vlan").empty();
  const auto dot = device.rfind('.');
  if (dot == std::string::npos || dot == 0 || (!asked && facts.devices.contains(device))) {
    return {device, "", 0};
  }
  const std::uint16_t vlan = vlan_number(std::string_view(device).substr(dot + 1));
  return vlan == 0 ? Parent{device, "", 0} : Parent{device, device.substr(0, dot), vlan};
}

std::uint32_t parent_mtu(const Parent& parent, const NodeFacts& facts) {
  const auto found = facts.devices.find(parent.vlan == 0 ? parent.device : parent.base);
  return found == facts.devices.end() ? HostDevice{}.mtu : found->second.mtu;
}

Result<> check_parent(const model::Network& network, const NodeFacts& facts) {
  const std::string name = text(network, "parent");
  if (name.empty()) {
    return fail(Errc::invalid, "driver " + network.driver +
                                   " needs the device that endpoints lie on: --opt parent=eth0");
  }
  TRY_DO(check_device_name("parent", name));
  const auto vlan = network.options.find("vlan");
  if (vlan != network.options.end() && vlan_number(vlan->second) == 0) {
    return fail(Errc::invalid,
                "option vlan '" + vlan->second.substr(0, 40) + "' must be a number from 1 to 4094");
  }
  const Parent parent = parent_of(network, facts);
  TRY_DO(check_device_name("parent with its VLAN", parent.device));
  if (parent.vlan != 0 && facts.devices.contains(parent.device)) {
    return fail(Errc::in_use, "this host has a device " + parent.device +
                                  " already: give it as the parent, without vlan");
  }
  const std::string& needed = parent.vlan == 0 ? parent.device : parent.base;
  const auto found = facts.devices.find(needed);
  if (found == facts.devices.end()) return no_such_parent(needed, facts);
  if (!found->second.up) {
    return fail(
        Errc::unavailable,
        "option parent: " + needed + " is down; bring it up first: ip link set " + needed + " up");
  }
  if (parent.vlan == 0 || facts.has_vlan) return {};
  return fail(Errc::unsupported,
              "option " + std::string(vlan == network.options.end() ? "parent" : "vlan") +
                  ": this kernel has no VLAN devices (module 8021q), which " + parent.device +
                  " would be");
}

}  // namespace heddle::driver
