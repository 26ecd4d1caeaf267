#include "netd/driver/bridge/bridge_driver.h"

#include <algorithm>
#include <array>

#include "netd/driver/names.h"
#include "netd/driver/options.h"

namespace heddle::bridge {
namespace {

constexpr std::uint32_t kDefaultMtu = 1500;
constexpr driver::MtuRange kMtu{};
constexpr std::array kOptions{
    driver::OptionHelp{"mtu", "bytes, 576 to 65535"},
    driver::OptionHelp{"bridge.name", "name of the Linux bridge, 1 to 15 bytes"},
};

// What the kernel takes (dev_valid_name), narrowed to what tools take without quoting.
Result<> check_device_name(const std::string& name) {
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
  return fail(Errc::invalid,
              "option bridge.name '" + name.substr(0, 40) +
                  "' must be 1 to 15 of letters, digits, '-', '_' and '.', not start "
                  "with '-', hdv or hdx, and not be lo, all or default");
}

// An invalid option was refused when the network was made; plans fall back to the default.
std::uint32_t mtu_of(const model::Network& network) {
  const auto mtu = driver::parse_mtu(network, kMtu);
  return mtu ? mtu->value_or(kDefaultMtu) : kDefaultMtu;
}

}  // namespace

Result<> BridgeDriver::validate(const model::Network& network,
                                const driver::NodeFacts& /*facts*/) const {
  TRY_DO(driver::check_options(network, kOptions));
  TRY_DO(driver::check_subnets(network));
  TRY_DO(driver::parse_mtu(network, kMtu));
  const auto name = network.options.find("bridge.name");
  if (name != network.options.end()) TRY_DO(check_device_name(name->second));
  return {};
}

std::string BridgeDriver::device(const model::Network& network) const {
  const auto name = network.options.find("bridge.name");
  return name != network.options.end() ? name->second : driver::bridge_name(network.id);
}

void BridgeDriver::plan_node(const model::View& /*view*/, const driver::NodeFacts& /*facts*/,
                             dataplane::HostState& /*into*/) const {}

void BridgeDriver::plan_network(const driver::Site& site, const driver::NodeFacts& /*facts*/,
                                dataplane::HostState& into) const {
  dataplane::Bridge bridge;
  bridge.name = device(site.network);
  bridge.mac = driver::bridge_mac(site.network.id);
  bridge.mtu = mtu_of(site.network);
  for (const model::Subnet& subnet : site.network.subnets) {
    bridge.addresses.push_back({subnet.gateway, subnet.prefix.length()});
    if (!site.network.internal) into.masquerades.insert({subnet.prefix, bridge.name});
  }
  std::ranges::sort(bridge.addresses);
  if (!site.network.internal) into.sysctls["net/ipv4/ip_forward"] = "1";
  into.bridges.emplace(bridge.name, std::move(bridge));
}

void BridgeDriver::plan_endpoints(const driver::Site& site, const driver::NodeFacts& /*facts*/,
                                  dataplane::HostState& into) const {
  for (const driver::LocalEndpoint& local : site.local) {
    const model::Endpoint& endpoint = *local.endpoint;
    dataplane::Attachment attachment;
    attachment.host_name = driver::host_device(endpoint.id);
    attachment.sandbox = local.workload->sandbox;
    attachment.name = endpoint.interface;
    attachment.host_mac = driver::host_side_mac(endpoint.id);
    attachment.mac = endpoint.mac;
    attachment.mtu = mtu_of(site.network);
    attachment.addresses = {endpoint.address};
    attachment.bridge = device(site.network);
    const model::Subnet* subnet = driver::subnet_of(site.network, endpoint.address.address);
    const bool v4 = endpoint.address.address.is_v4();
    if ((v4 ? local.default_route : local.default_route6) && subnet != nullptr) {
      attachment.routes = {
          {v4 ? driver::kEverywhere : Prefix::containing(IpAddr::v6({}), 0), subnet->gateway}};
    }
    into.attachments.emplace(attachment.host_name, std::move(attachment));
  }
}

}  // namespace heddle::bridge
