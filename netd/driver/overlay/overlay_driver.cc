#include "netd/driver/overlay/overlay_driver.h"

#include <algorithm>
#include <array>

#include "netd/driver/endpoint_plan.h"
#include "netd/driver/names.h"
#include "netd/ipam/mac.h"

namespace heddle::overlay {
namespace {

// Outer Ethernet 14 (counted by the inner frame), IPv4 20, UDP 8, VXLAN 8: RFC 7348, section 5.
constexpr std::uint32_t kOverhead = 50;
constexpr std::array kOptions{
    driver::OptionHelp{"mtu", "bytes, 576 to the underlay's MTU less 50",
                       "com.docker.network.driver.mtu", driver::OptionHelp::Value::text,
                       driver::OptionHelp::Change::live},
    driver::kAffinity,
};

std::uint32_t most_mtu(const driver::NodeFacts& facts) {
  return std::max(facts.underlay_mtu, driver::kLeastMtu + kOverhead) - kOverhead;
}

// The option was checked on the node where the network was made; a node with a smaller underlay
// takes what fits.
std::uint32_t mtu_of(const model::Network& network, const driver::NodeFacts& facts) {
  return std::min(driver::mtu_or(network, most_mtu(facts)), most_mtu(facts));
}

dataplane::Attachment attachment_of(const driver::LocalEndpoint& local,
                                    const model::Network& network, const driver::NodeFacts& facts) {
  dataplane::Attachment attachment =
      driver::plan_attachment(local, network, driver::WayOut::gateway);
  attachment.host_mac = driver::kAnycastGatewayMac;
  attachment.mtu = mtu_of(network, facts);
  attachment.overlay = network.vni;
  return attachment;
}

// Of every other node. This node's own are in no map: what of them has no endpoint is nobody's.
void plan_blocks(const driver::Site& site, dataplane::HostState& into) {
  const model::Network& network = site.network;
  const Mac first = ipam::mac_for(network.id, IpAddr());
  for (const model::AddressBlock& block : site.view.blocks.of(network.id)) {
    const auto node = site.view.nodes.find(block.node);
    if (node == site.view.nodes.end() || block.node == site.view.self) continue;  // a VIPs' too
    into.overlay_blocks.insert_or_assign(
        std::pair(network.vni, block.prefix),
        dataplane::OverlayBlock{network.vni, block.prefix, node->second.data_address, first});
  }
}

}  // namespace

std::span<const driver::OptionHelp> OverlayDriver::options() const {
  return kOptions;
}

bool OverlayDriver::has_gateway(const model::Network& /*network*/, driver::Family family) const {
  return family == driver::Family::v4;
}

Result<> OverlayDriver::validate(const model::Network& network,
                                 const driver::NodeFacts& facts) const {
  TRY_DO(driver::check_options(network, kOptions));
  // A draft without a subnet gets one of the swarm's pool from the manager.
  if (!network.subnets.empty()) TRY_DO(driver::check_subnets(network));
  TRY_DO(driver::check_v4_only(network));
  if (network.subnets.size() > 1) {
    return fail(Errc::invalid, "an overlay network has one subnet; " +
                                   std::to_string(network.subnets.size()) + " were given");
  }
  for (const model::Subnet& subnet : network.subnets) {
    if (!subnet.range) continue;
    return fail(Errc::unsupported, "range " + subnet.range->format() +
                                       ": the swarm divides an overlay network's subnet among its "
                                       "nodes itself; leave it out");
  }
  TRY_DO(driver::parse_mtu(network, {driver::kLeastMtu, most_mtu(facts)}));
  TRY_DO(driver::parse_affinity(network));
  return {};
}

Result<> OverlayDriver::check_endpoint(const model::Network& network,
                                       const model::Endpoint& endpoint,
                                       const model::View& /*view*/) const {
  if (!endpoint.link_local.empty()) {
    return fail(Errc::unsupported,
                "link-local addresses do not leave a node; driver overlay "
                "carries none: leave them out");
  }
  if (!endpoint.published.empty() && network.internal) {
    return fail(Errc::unsupported, "network '" + network.name +
                                       "' is internal: nothing outside reaches its endpoints, so "
                                       "ports cannot be published; use a network that is not");
  }
  return {};
}

driver::Claim OverlayDriver::claim(const model::Network& /*network*/) const {
  return {"", "", driver::Claim::Share::together};
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

void OverlayDriver::plan_network(const driver::Site& site, const driver::NodeFacts& facts,
                                 dataplane::HostState& into) const {
  if (site.network.subnets.empty()) return;
  const model::Subnet& subnet = site.network.subnets.front();
  into.overlay_networks.emplace(
      site.network.vni,
      dataplane::OverlayNetwork{site.network.vni, subnet.prefix, subnet.gateway,
                                driver::kAnycastGatewayMac, site.network.internal});
  plan_blocks(site, into);
  into.rules.insert({driver::kVxlanDevice, {subnet.prefix}, false, !site.network.internal});
  if (site.network.internal) return;
  into.masquerades.insert({subnet.prefix, driver::kVxlanDevice});
  driver::plan_forwarding(driver::Family::v4, facts, into);
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
    driver::plan_published(local, into);
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
