#include "netd/driver/bridge/bridge_driver.h"

#include <algorithm>
#include <array>

#include "netd/driver/endpoint_plan.h"
#include "netd/driver/names.h"

namespace heddle::bridge {
namespace {

using driver::Family;
using driver::OptionHelp;
constexpr auto kLive = OptionHelp::Change::live;
constexpr auto kFlag = OptionHelp::Value::flag;
constexpr auto kText = OptionHelp::Value::text;

constexpr std::array kOptions{
    OptionHelp{"mtu", "bytes, 576 to 65535; 1280 at least with IPv6",
               "com.docker.network.driver.mtu", kText, kLive},
    OptionHelp{"bridge.name", "name of the Linux bridge, 1 to 15 bytes",
               "com.docker.network.bridge.name"},
    OptionHelp{"masquerade", "true or false", "com.docker.network.bridge.enable_ip_masquerade",
               kFlag, kLive},
    OptionHelp{"icc", "true or false: whether endpoints reach each other",
               "com.docker.network.bridge.enable_icc", kFlag, kLive},
    OptionHelp{"multicast-snooping", "true or false", "", kFlag, kLive},
    OptionHelp{"gateway-mode", "nat, routed or isolated, for both families"},
    OptionHelp{"gateway-mode.ipv4", "nat, routed or isolated",
               "com.docker.network.bridge.gateway_mode_ipv4"},
    OptionHelp{"gateway-mode.ipv6", "nat, routed or isolated",
               "com.docker.network.bridge.gateway_mode_ipv6"},
    driver::kAffinity,
};

constexpr std::array kFamilies{Family::v4, Family::v6};
// Of one bridge: net/bridge/br_private.h, BR_MAX_PORTS, of which number 0 is none.
constexpr std::ptrdiff_t kMostPorts = 1023;

// Between endpoints and everything beyond the bridge.
enum class Mode {
  nat,       // endpoints begin; under the host's address
  routed,    // both sides begin; addresses stay
  isolated,  // not even the host has an address there
};

std::string mode_option(Family family) {
  return family == Family::v4 ? "gateway-mode.ipv4" : "gateway-mode.ipv6";
}

std::string mode_text(const model::Network& network, Family family) {
  const std::string own = driver::text(network, mode_option(family));
  return own.empty() ? driver::text(network, "gateway-mode") : own;
}

// An invalid option was refused when the network was made.
Mode mode_of(const model::Network& network, Family family) {
  const std::string text = mode_text(network, family);
  if (text == "routed") return Mode::routed;
  return text == "isolated" ? Mode::isolated : Mode::nat;
}

Result<> check_modes(const model::Network& network) {
  for (const char* option : {"gateway-mode", "gateway-mode.ipv4", "gateway-mode.ipv6"}) {
    const auto found = network.options.find(option);
    if (found == network.options.end()) continue;
    const std::string& value = found->second;
    if (value != "nat" && value != "routed" && value != "isolated") {
      return fail(Errc::invalid, "option " + std::string(option) + " '" + value.substr(0, 40) +
                                     "' must be nat, routed or isolated");
    }
  }
  for (const Family family : kFamilies) {
    const std::string text = mode_text(network, family);
    if (text == "isolated" && !network.internal) {
      return fail(
          Errc::invalid,
          "gateway mode isolated leaves no way out: add --internal, or choose nat or routed");
    }
    if (text == "routed" && network.internal) {
      return fail(Errc::invalid,
                  "gateway mode routed and --internal contradict each other: leave one out");
    }
    if (text == "routed" && driver::flag(network, "masquerade", false)) {
      return fail(Errc::invalid,
                  "gateway mode routed keeps endpoints' addresses: leave masquerade=true out");
    }
  }
  return {};
}

Result<> check_gateways(const model::Network& network) {
  for (const model::Subnet& subnet : network.subnets) {
    const Family family = driver::family_of(subnet.prefix);
    const bool wants = mode_of(network, family) != Mode::isolated;
    if (wants == !subnet.gateway.is_unspecified()) continue;
    return fail(Errc::invalid, "subnet " + subnet.prefix.format() +
                                   (wants ? " needs a gateway: the bridge's address"
                                          : " has no gateway in gateway mode isolated: leave " +
                                                subnet.gateway.format() + " out"));
  }
  return {};
}

}  // namespace

std::span<const OptionHelp> BridgeDriver::options() const {
  return kOptions;
}

bool BridgeDriver::has_gateway(const model::Network& network, Family family) const {
  return mode_of(network, family) != Mode::isolated;
}

Result<> BridgeDriver::validate(const model::Network& network,
                                const driver::NodeFacts& facts) const {
  TRY_DO(driver::check_options(network, kOptions));
  TRY_DO(driver::check_subnets(network));
  TRY_DO(driver::parse_mtu(network, {}));
  TRY_DO(driver::parse_affinity(network));
  TRY_DO(check_modes(network));
  TRY_DO(check_gateways(network));
  const auto name = network.options.find("bridge.name");
  if (name == network.options.end()) return {};
  TRY_DO(driver::check_device_name("bridge.name", name->second));
  if (!facts.devices.contains(name->second)) return {};
  return fail(Errc::in_use, "option bridge.name: this host has a device '" + name->second +
                                "' that is not Heddle's; choose another name");
}

Result<> BridgeDriver::check_endpoint(const model::Network& network,
                                      const model::Endpoint& endpoint,
                                      const model::View& view) const {
  const auto ports = std::ranges::count_if(view.endpoints, [&](const auto& entry) {
    return entry.second.network == network.id && entry.second.state != model::EndpointState::gone &&
           entry.first != endpoint.id;
  });
  if (ports >= kMostPorts) {
    return fail(Errc::exhausted, "network '" + network.name + "' is full: it has " +
                                     std::to_string(ports) +
                                     " endpoints, and the kernel's bridge takes no more ports; "
                                     "make another network and connect it there");
  }
  if (endpoint.published.empty() || !network.internal) return {};
  return fail(Errc::unsupported, "network '" + network.name +
                                     "' is internal: nothing outside reaches its endpoints, so "
                                     "ports cannot be published; use a network that is not");
}

std::string BridgeDriver::device(const model::Network& network) const {
  const std::string name = driver::text(network, "bridge.name");
  return name.empty() ? driver::bridge_name(network.id) : name;
}

driver::Claim BridgeDriver::claim(const model::Network& network) const {
  return {device(network), "a bridge", driver::Claim::Share::alone};
}

void BridgeDriver::plan_node(const model::View& /*view*/, const driver::NodeFacts& /*facts*/,
                             dataplane::HostState& /*into*/) const {}

void BridgeDriver::plan_network(const driver::Site& site, const driver::NodeFacts& facts,
                                dataplane::HostState& into) const {
  const model::Network& network = site.network;
  dataplane::Bridge bridge;
  bridge.name = device(network);
  bridge.mac = driver::bridge_mac(network.id);
  bridge.mtu = driver::mtu_or(network, facts.egress_mtu);
  bridge.multicast_snooping = driver::flag(network, "multicast-snooping", true);
  for (const Family family : kFamilies) {
    const Mode mode = mode_of(network, family);
    const bool leaves = !network.internal && mode != Mode::isolated;
    const bool hides = leaves && mode == Mode::nat && driver::flag(network, "masquerade", true);
    dataplane::NetworkRules rules{bridge.name, {}, mode == Mode::routed, leaves};
    for (const model::Subnet& subnet : network.subnets) {
      if (driver::family_of(subnet.prefix) != family) continue;
      rules.subnets.push_back(subnet.prefix);
      if (mode != Mode::isolated) {
        bridge.addresses.push_back({subnet.gateway, subnet.prefix.length()});
      }
      if (hides) into.masquerades.insert({subnet.prefix, bridge.name});
    }
    if (rules.subnets.empty()) continue;
    std::ranges::sort(rules.subnets);
    into.rules.insert(std::move(rules));
    if (leaves) driver::plan_forwarding(family, facts, into);
  }
  std::ranges::sort(bridge.addresses);
  into.bridges.emplace(bridge.name, std::move(bridge));
}

void BridgeDriver::plan_endpoints(const driver::Site& site, const driver::NodeFacts& facts,
                                  dataplane::HostState& into) const {
  for (const driver::LocalEndpoint& local : site.local) {
    dataplane::Attachment attachment =
        driver::plan_attachment(local, site.network, driver::WayOut::gateway);
    attachment.host_mac = driver::host_side_mac(local.endpoint->id);
    attachment.mtu = driver::mtu_or(site.network, facts.egress_mtu);
    attachment.bridge = device(site.network);
    attachment.isolated = !driver::flag(site.network, "icc", true);
    driver::plan_published(local, into);
    into.attachments.emplace(attachment.host_name, std::move(attachment));
  }
}

}  // namespace heddle::bridge
