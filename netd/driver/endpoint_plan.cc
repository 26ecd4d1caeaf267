#include "netd/driver/endpoint_plan.h"

#include <algorithm>

#include "netd/driver/names.h"

namespace heddle::driver {
namespace {

// `net.ipv4.conf.IFNAME.rp_filter` as a path below /proc/sys. An interface's name may hold dots.
std::string sysctl_path(std::string name, const std::string& interface) {
  std::ranges::replace(name, '.', '/');
  constexpr std::string_view kPlace = "/IFNAME/";
  const auto at = name.find(kPlace);
  return at == std::string::npos ? name : name.replace(at + 1, kPlace.size() - 2, interface);
}

void add_address(const IfAddr& address, const LocalEndpoint& local, const model::Network& network,
                 WayOut way_out, dataplane::Attachment& into) {
  const model::Subnet* subnet = subnet_of(network, address.address);
  if (subnet == nullptr) {
    into.addresses.push_back(address);
    return;
  }
  into.addresses.push_back({address.address, subnet->prefix.length()});
  const Family family = family_of(subnet->prefix);
  const bool leaves = family == Family::v4 ? local.default_route : local.default_route6;
  if (leaves && way_out == WayOut::link) {
    into.routes.push_back({everywhere(family), std::nullopt});
    return;
  }
  if (leaves && !subnet->gateway.is_unspecified()) {
    into.routes.push_back({everywhere(family), subnet->gateway});
  }
  for (const model::Subnet& other : network.subnets) {
    if (&other == subnet || family_of(other.prefix) != family) continue;
    into.routes.push_back({other.prefix, std::nullopt});
  }
}

void publish(const model::PublishedPort& port, const IpAddr& endpoint, dataplane::HostState& into) {
  const IpAddr any = endpoint.is_v4() ? IpAddr() : IpAddr::v6({});
  const IpAddr host = port.host_address.value_or(any);
  if (host.is_v4() != endpoint.is_v4() || port.host_port == 0 || port.port == 0) return;
  for (std::uint32_t i = 0; i < port.count; ++i) {
    if (port.host_port + i > 65535 || port.port + i > 65535) return;
    const dataplane::PublishedKey key{static_cast<dataplane::Protocol>(port.protocol), host,
                                      static_cast<std::uint16_t>(port.host_port + i)};
    into.published.emplace(
        key, dataplane::PublishedTarget{endpoint, static_cast<std::uint16_t>(port.port + i)});
  }
}

}  // namespace

Prefix everywhere(Family family) {
  return Prefix::containing(family == Family::v4 ? IpAddr() : IpAddr::v6({}), 0);
}

dataplane::Attachment plan_attachment(const LocalEndpoint& local, const model::Network& network,
                                      WayOut way_out) {
  const model::Endpoint& endpoint = *local.endpoint;
  dataplane::Attachment attachment;
  attachment.host_name = host_device(endpoint.id);
  attachment.sandbox = local.workload->sandbox;
  attachment.name = endpoint.interface;
  attachment.mac = endpoint.mac;
  attachment.rate_in = endpoint.rate_in;
  attachment.rate_out = endpoint.rate_out;
  for (const auto& [name, value] : endpoint.sysctls) {
    attachment.sysctls.emplace(sysctl_path(name, endpoint.interface), value);
  }
  add_address(endpoint.address, local, network, way_out, attachment);
  if (endpoint.address6) add_address(*endpoint.address6, local, network, way_out, attachment);
  for (const IfAddr& address : endpoint.link_local) attachment.addresses.push_back(address);
  std::ranges::sort(attachment.addresses);
  std::ranges::sort(attachment.routes);
  return attachment;
}

void plan_published(const LocalEndpoint& local, dataplane::HostState& into) {
  for (const model::PublishedPort& port : local.endpoint->published) {
    publish(port, local.endpoint->address.address, into);
    if (local.endpoint->address6) publish(port, local.endpoint->address6->address, into);
  }
}

void plan_parent(const Parent& parent, dataplane::HostState& into) {
  if (parent.vlan == 0) return;
  into.vlans.emplace(parent.device, dataplane::VlanDevice{parent.device, parent.base, parent.vlan});
}

// Source: Documentation/networking/ip-sysctl.rst: forwarding turns router advertisements off
// unless accept_ra is 2.
void plan_forwarding(Family family, const NodeFacts& facts, dataplane::HostState& into) {
  if (family == Family::v4) {
    into.sysctls["net/ipv4/ip_forward"] = "1";
    return;
  }
  into.sysctls["net/ipv6/conf/all/forwarding"] = "1";
  for (const std::string& device : facts.advertised_devices) {
    into.sysctls["net/ipv6/conf/" + device + "/accept_ra"] = "2";
  }
}

}  // namespace heddle::driver
