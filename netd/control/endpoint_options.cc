#include "netd/control/endpoint_options.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <string_view>
#include <vector>

#include "common/net/link.h"
#include "dataplane/intent/validate.h"
#include "netd/driver/names.h"

namespace heddle::control {
namespace {

constexpr std::string_view kPlaceholder = "IFNAME";
constexpr std::uint64_t kLeastRate = 8000;  // bits a second: one full frame takes 1.5 s

struct Option {
  std::string_view name;
  std::string_view docker;  // the same, as docker writes it
  std::string_view accepts;
};
constexpr std::array kOptions{
    Option{"ifname", "com.docker.network.endpoint.ifname", "name of the interface"},
    Option{"sysctls", "com.docker.network.endpoint.sysctls",
           "net.ipv4.conf.IFNAME.NAME=VALUE, several with commas"},
    Option{"weight", "", "share of its service's new connections, 1 to 255"},
};

std::string accepted_options() {
  std::string text;
  for (const Option& option : kOptions) {
    text += (text.empty() ? "" : ", ") + std::string(option.name) +
            (option.docker.empty() ? "" : " or " + std::string(option.docker)) + " (" +
            std::string(option.accepts) + ")";
  }
  return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

Result<> check_interface(const std::string& name) {
  const bool ok = !name.empty() && name.size() <= kMaxIfName && name != "." && name != ".." &&
                  name != "lo" && name != "all" && name != "default" &&
                  std::ranges::all_of(name, [](unsigned char c) {
                    return std::isalnum(c) || c == '-' || c == '_' || c == '.';
                  });
  if (ok) return {};
  return fail(Errc::invalid, "interface name '" + name.substr(0, 40) +
                                 "' must be 1 to 15 of A-Z a-z 0-9 . _ - and not lo, all or "
                                 "default");
}

// `net.ipv4.conf.IFNAME.rp_filter`, with the placeholder or the interface's own name, dots or
// slashes, to the form that is stored.
Result<> add_sysctl(std::string_view written, const std::string& value, EndpointOptions& into) {
  std::string name(written);
  if (name.contains('/')) std::ranges::replace(name, '/', '.');
  const auto refuse = [&](std::string_view why) {
    return fail(Errc::invalid,
                "sysctl '" + std::string(written.substr(0, 80)) + "' " + std::string(why) +
                    "; write net.ipv4.conf.IFNAME.NAME, net.ipv6.conf.IFNAME.NAME, "
                    "net.ipv4.neigh.IFNAME.NAME or net.ipv6.neigh.IFNAME.NAME, where IFNAME "
                    "stands for the interface");
  };
  if (!into.interface.empty()) {
    const auto own = name.find("." + into.interface + ".");
    if (own != std::string::npos) name.replace(own + 1, into.interface.size(), kPlaceholder);
  }
  const auto parts = split(name, '.');
  if (parts.size() != 5 || parts[0] != "net" || (parts[1] != "ipv4" && parts[1] != "ipv6") ||
      (parts[2] != "conf" && parts[2] != "neigh")) {
    return refuse("is none of an interface");
  }
  if (parts[3] != kPlaceholder) return refuse("is of another interface than the endpoint's");
  std::string path = name;
  std::ranges::replace(path, '.', '/');
  TRY_DO(dataplane::validate_interface_sysctl(path, value).during("sysctl " + name));
  const auto [found, made] = into.sysctls.try_emplace(name, value);
  if (made || found->second == value) return {};
  return fail(Errc::invalid,
              "sysctl " + name + " is given twice, as " + found->second + " and " + value);
}

Result<> set_weight(const std::string& value, EndpointOptions& into) {
  constexpr std::uint32_t kMost = 255;  // as the list of backends holds it
  const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), into.weight);
  if (ec == std::errc{} && end == value.data() + value.size() && into.weight >= 1 &&
      into.weight <= kMost) {
    return {};
  }
  return fail(Errc::invalid, "endpoint option weight '" + value.substr(0, 40) +
                                 "' must be a number from 1 to " + std::to_string(kMost));
}

Result<> add_option(const std::string& key, const std::string& value, EndpointOptions& into) {
  const auto option = std::ranges::find_if(kOptions, [&](const Option& o) {
    return o.name == key || (!o.docker.empty() && o.docker == key);
  });
  if (option == kOptions.end()) {
    return fail(Errc::invalid, "endpoint option '" + key.substr(0, 80) +
                                   "' is unknown; accepted are: " + accepted_options());
  }
  if (option->name == "ifname") {
    if (!into.interface.empty() && into.interface != value) {
      return fail(Errc::invalid, "the interface is named twice, '" + into.interface + "' and '" +
                                     value + "'; give one");
    }
    into.interface = value;
    return check_interface(value);
  }
  if (option->name == "weight") return set_weight(value, into);
  for (const std::string_view setting : split(value, ',')) {
    const auto equals = setting.find('=');
    if (equals == std::string_view::npos) {
      return fail(Errc::invalid,
                  "endpoint option " + key + ": '" + std::string(setting) + "' is not NAME=VALUE");
    }
    TRY_DO(add_sysctl(setting.substr(0, equals), std::string(setting.substr(equals + 1)), into));
  }
  return {};
}

Result<> check_link_local(const std::vector<IpAddr>& addresses) {
  const Prefix v4 = Prefix::containing(IpAddr::v4(0xa9fe0000), 16);    // RFC 3927
  const Prefix v6 = Prefix::containing(IpAddr::v6({0xfe, 0x80}), 10);  // RFC 4291, section 2.5.6
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const IpAddr& address = addresses[i];
    const bool usable4 =
        v4.contains(address) && address != v4.address() && address != v4.at(v4.size() - 1);
    if (!usable4 && !v6.contains(address)) {
      return fail(Errc::invalid, "--link-local-ip " + address.format() +
                                     " must be in 169.254.0.0/16 (not its first or last) or "
                                     "fe80::/10");
    }
    if (std::ranges::count(addresses, address) > 1) {
      return fail(Errc::invalid, "--link-local-ip " + address.format() + " is given twice");
    }
  }
  return {};
}

Result<> check_mac(const Mac& mac, const model::Network& network) {
  if (mac.is_multicast() || mac == Mac{}) {
    return fail(Errc::invalid, "--mac " + mac.format() +
                                   " is no unicast address; the first byte must be even, as in "
                                   "02:42:0a:00:00:05");
  }
  if (mac == driver::kAnycastGatewayMac || mac == driver::bridge_mac(network.id)) {
    return fail(Errc::exists, "--mac " + mac.format() + " is the gateway's of network '" +
                                  network.name + "'; give another");
  }
  return {};
}

// Endpoints lie beside the host's own address, on a device of the host.
bool is_on_parent(const model::Network& network) {
  return network.driver == "macvlan" || network.driver == "ipvlan";
}

}  // namespace

Result<EndpointOptions> read_endpoint_options(const ConnectSpec& spec) {
  EndpointOptions options{.interface = spec.interface, .sysctls = {}};
  if (!spec.interface.empty()) TRY_DO(check_interface(spec.interface));
  // The interface's name first: sysctls may use it.
  for (const bool names : {true, false}) {
    for (const auto& [key, value] : spec.options) {
      if (key.ends_with("ifname") == names) TRY_DO(add_option(key, value, options));
    }
  }
  for (const auto& [name, value] : spec.sysctls) TRY_DO(add_sysctl(name, value, options));
  if (options.weight != 1 && spec.service.empty()) {
    return fail(Errc::invalid,
                "endpoint option weight is a backend's; name its service: --service");
  }
  return options;
}

Result<> check_endpoint_values(const ConnectSpec& spec, const model::Network& network) {
  if (spec.address && !spec.address->is_v4()) {
    return fail(Errc::invalid, "--ip " + spec.address->format() + " is IPv6; give it with --ip6");
  }
  if (spec.address6 && spec.address6->is_v4()) {
    return fail(Errc::invalid, "--ip6 " + spec.address6->format() + " is IPv4; give it with --ip");
  }
  if (spec.mac) TRY_DO(check_mac(*spec.mac, network));
  for (const std::uint64_t rate : {spec.rate_in, spec.rate_out}) {
    if (rate != 0 && rate < kLeastRate) {
      return fail(Errc::invalid, "a rate of " + std::to_string(rate) +
                                     " bits a second is too low; give at least " +
                                     std::to_string(kLeastRate) + ", or 0 for no limit");
    }
  }
  for (const std::string& alias : spec.aliases) TRY_DO(model::check_name("alias", alias));
  return check_link_local(spec.link_local);
}

Result<> check_network_takes(const ConnectSpec& spec, const model::Network& network,
                             model::WorkloadKind kind) {
  const std::string name = "network '" + network.name + "' ";
  if (network.config_only) {
    return fail(Errc::invalid, name +
                                   "holds configuration only and cannot be connected to; make one "
                                   "with it: heddle network create --config-from " +
                                   network.name + " NAME");
  }
  // A load balancer is in front of the network's services.
  const bool serves = !spec.service.empty() || kind == model::WorkloadKind::load_balancer;
  if (!network.attachable && !serves) {
    return fail(Errc::denied, name +
                                  "is not attachable: only backends of a service may join; name "
                                  "one: --service NAME --port PORT");
  }
  const auto refuse = [&](std::string_view what) {
    return fail(Errc::invalid,
                std::string(what) + " cannot be had in " + name + "of driver " + network.driver);
  };
  if (!spec.published.empty()) TRY_DO(check_can_publish(network));
  if (network.driver == "ipvlan" && spec.mac) {
    return refuse("a MAC of one's own (all share the parent's)");
  }
  if (network.driver == "overlay" && spec.address6) return refuse("an IPv6 address");
  return {};
}

Result<> check_can_publish(const model::Network& network) {
  if (network.internal) {
    return fail(Errc::invalid, "ports cannot be published in network '" + network.name +
                                   "', which is internal: nothing leads in from outside");
  }
  if (is_on_parent(network)) {
    return fail(Errc::invalid, "ports cannot be published in network '" + network.name +
                                   "' of driver " + network.driver +
                                   ": its endpoints are reached by their own addresses");
  }
  return {};
}

}  // namespace heddle::control
