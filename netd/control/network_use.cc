// How full networks are, and what of the host is in their way now.
#include "netd/control/control.h"
#include "netd/ipam/layout.h"

namespace heddle::control {
namespace {

// Addresses of the network that this node answers for.
std::set<IpAddr> addresses_of(const model::View& view, const model::Network& network) {
  std::set<IpAddr> addresses;
  const bool local = network.scope == model::Scope::local;
  for (const auto& [id, endpoint] : view.endpoints) {
    if (endpoint.network != network.id || (!local && !view.is_local(endpoint))) continue;
    addresses.insert(endpoint.address.address);
    if (endpoint.address6) addresses.insert(endpoint.address6->address);
  }
  for (const auto& [id, service] : view.services) {
    if (local && service.network == network.id) addresses.insert(service.vip);
  }
  return addresses;
}

// What new endpoints may get their addresses from.
std::vector<Prefix> extent_of(const model::View& view, const model::Network& network,
                              const model::Subnet& subnet) {
  if (network.scope == model::Scope::local) return {subnet.range.value_or(subnet.prefix)};
  return view.blocks.of(network.id, view.self);
}

}  // namespace

Result<std::vector<SubnetUse>> Control::subnet_use(std::string reference) {
  return executor_.call([&]() -> Result<std::vector<SubnetUse>> {
    const auto current = view();
    TRY(const model::Network* network, model::find_network(*current, reference));
    TRY(const auto routes, learn_host());
    const auto addresses = addresses_of(*current, *network);
    std::vector<SubnetUse> uses;
    for (const model::Subnet& subnet : network->subnets) {
      SubnetUse use;
      use.prefix = subnet.prefix;
      for (const IpAddr& address : addresses) use.used += subnet.prefix.contains(address);
      if (!network->config_only) {
        use.free = ipam::count_free(subnet, extent_of(*current, *network, subnet), addresses);
        const std::string route = ipam::overlapping_route(subnet.prefix, routes);
        if (!route.empty()) use.conflict = "overlaps the host route " + route;
      }
      uses.push_back(std::move(use));
    }
    return uses;
  });
}

std::vector<std::string> Control::host_conflicts() {
  const auto routes = learn_host();
  if (!routes) return {routes.error().text()};
  std::vector<std::string> sentences;
  const auto current = view();
  for (const auto& [id, network] : current->networks) {
    if (network.config_only) continue;
    for (const model::Subnet& subnet : network.subnets) {
      const std::string route = ipam::overlapping_route(subnet.prefix, *routes);
      if (route.empty()) continue;
      sentences.push_back("network " + network.name + ": subnet " + subnet.prefix.format() +
                          " overlaps the host route " + route +
                          ", which came later: one of the two does not get all its packets; "
                          "move the network or the route");
    }
  }
  return sentences;
}

// What of the host's own rules may be in the way of what networks forward: only their owner knows
// what they are to let past.
std::vector<std::string> Control::host_notes(const dataplane::HostState& wanted) {
  std::set<std::string> devices;
  for (const dataplane::NetworkRules& rules : wanted.rules) {
    if (rules.inbound || rules.outbound) devices.insert(rules.device);
  }
  if (devices.empty()) return {};
  std::string list;
  for (const std::string& device : devices) list += (list.empty() ? "" : ", ") + device;
  const auto chains = settings_.forward_drops();
  if (!chains) return {"the host's own firewall could not be read: " + chains.error().text()};
  std::vector<std::string> notes;
  for (const std::string& chain : *chains) {
    notes.push_back("the host's chain " + chain +
                    " drops what no rule of it accepts: what networks forward and published ports "
                    "need one there for " +
                    list + "; how, with Docker, ufw and firewalld: docs/ports.md");
  }
  return notes;
}

}  // namespace heddle::control
