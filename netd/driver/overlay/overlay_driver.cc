#include "netd/driver/overlay/overlay_driver.h"

#include <algorithm>
#include <array>

#include "netd/driver/names.h"
#include "netd/driver/options.h"

namespace heddle::overlay {
namespace {

// Outer Ethernet 14 (counted by the inner frame), IPv4 20, UDP 8, VXLAN 8: RFC 7348, section 5.
constexpr std::uint32_t kOverhead = 50;
constexpr std::uint32_t kLeastMtu = 576;
constexpr std::array kOptions{
    driver::OptionHelp{"mtu", "bytes, 576 to the underlay's MTU less 50"},
};

std::uint32_t most_mtu(const driver::NodeFacts& facts) {
  return std::max(facts.underlay_mtu, kLeastMtu + kOverhead) - kOverhead;
}

// The option was checked on the node where the network was made; a node with a smaller underlay
// takes what fits.
std::uint32_t mtu_of(const model::Network& network, const driver::NodeFacts& facts) {
  const std::uint32_t most = most_mtu(facts);
  const auto mtu = driver::parse_mtu(network, {});
  return mtu ? std::min(mtu->value_or(most), most) : most;
}

dataplane::Attachment attachment_of(const driver::LocalEndpoint& local,
                                    const model::Network& network, const driver::NodeFacts& facts) {
  const model::Endpoint& endpoint = *local.endpoint;
  dataplane::Attachment attachment;
  attachment.host_name = driver::host_device(endpoint.id);
  attachment.sandbox = local.workload->sandbox;
  attachment.name = endpoint.interface;
  attachment.host_mac = driver::kAnycastGatewayMac;
  attachment.mac = endpoint.mac;
  attachment.mtu = mtu_of(network, facts);
  attachment.addresses = {endpoint.address};
  attachment.overlay = network.vni;
  const model::Subnet* subnet = driver::subnet_of(network, endpoint.address.address);
  if (local.default_route && subnet != nullptr) {
    attachment.routes = {{driver::kEverywhere, subnet->gateway}};
  }
  return attachment;
}

}  // namespace

Result<> OverlayDriver::validate(const model::Network& network,
                                 const driver::NodeFacts& facts) const {
  TRY_DO(driver::check_options(network, kOptions));
  // A draft without a subnet gets one of the swarm's pool from the manager.
  if (!network.subnets.empty()) TRY_DO(driver::check_subnets(network));
  if (network.subnets.size() > 1) {
    return fail(Errc::invalid, "an overlay network has one subnet; " +
                                   std::to_string(network.subnets.size()) + " were given");
  }
  TRY_DO(driver::parse_mtu(network, {kLeastMtu, most_mtu(facts)}));
  return {};
}

std::string OverlayDriver::device(const model::Network& /*network*/) const {
  return driver::kVxlanDevice;
}

void OverlayDriver::plan_node(const model::View& view, const driver::NodeFacts& facts,
                              dataplane::HostState& into) const {
  if (!view.swarm || facts.underlay_device.empty()) return;
  dataplane::Underlay underlay;
  underlay.device = facts.underlay_device;
  underlay.address = facts.underlay_address;
  underlay.vxlan_name = driver::kVxlanDevice;
  underlay.vxlan_port = view.swarm->vxlan_port;
  underlay.mtu = most_mtu(facts);
  underlay.epoch = facts.epoch;
  into.underlay = underlay;
}

void OverlayDriver::plan_network(const driver::Site& site, const driver::NodeFacts& /*facts*/,
                                 dataplane::HostState& into) const {
  if (site.network.subnets.empty()) return;
  const model::Subnet& subnet = site.network.subnets.front();
  into.overlay_networks.emplace(
      site.network.vni,
      dataplane::OverlayNetwork{site.network.vni, subnet.prefix, subnet.gateway,
                                driver::kAnycastGatewayMac, site.network.internal});
  if (site.network.internal) return;
  into.masquerades.insert({subnet.prefix, driver::kVxlanDevice});
  into.sysctls["net/ipv4/ip_forward"] = "1";
}

void OverlayDriver::plan_endpoints(const driver::Site& site, const driver::NodeFacts& facts,
                                   dataplane::HostState& into) const {
  const Vni vni = site.network.vni;
  for (const driver::LocalEndpoint& local : site.local) {
    dataplane::Attachment attachment = attachment_of(local, site.network, facts);
    const IpAddr address = local.endpoint->address.address;
    const std::string device = attachment.host_name;
    into.overlay_addresses.insert_or_assign(
        std::pair(vni, address),
        dataplane::OverlayAddress{vni, address, local.endpoint->mac, device, std::nullopt});
    if (!site.network.internal) {
      into.host_routes.insert_or_assign(address,
                                        dataplane::HostRoute{address, device, local.endpoint->mac});
    }
    into.attachments.emplace(device, std::move(attachment));
  }
  for (const model::Endpoint* remote : site.remote) {
    const auto node = site.view.nodes.find(remote->node);
    if (node == site.view.nodes.end()) continue;  // it left: nothing leads there
    const IpAddr address = remote->address.address;
    into.overlay_addresses.emplace(
        std::pair(vni, address),
        dataplane::OverlayAddress{vni, address, remote->mac, "", node->second.data_address});
  }
}

}  // namespace heddle::overlay
