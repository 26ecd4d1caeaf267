#include "netd/reconcile/diff.h"

#include <algorithm>
#include <set>
#include <string_view>

namespace heddle::reconcile {
namespace {

using dataplane::Ensure;
using dataplane::HostState;
using dataplane::Operation;
using Operations = std::vector<Operation>;

// Calls `gone` with each (key, object) of `observed` that `wanted` does not have.
template <class Map, class Gone>
void each_unwanted(const Map& wanted, const Map& observed, Gone gone) {
  for (const auto& [key, object] : observed) {
    if (!wanted.contains(key)) gone(key);
  }
}

template <class Map, class Key, class Value>
bool holds(const Map& map, const Key& key, const Value& value) {
  const auto found = map.find(key);
  return found != map.end() && found->second == value;
}

template <class Map>
void ensure_differing(const Map& wanted, const Map& observed, Operations& steps) {
  for (const auto& [key, object] : wanted) {
    if (!holds(observed, key, object)) steps.push_back(Ensure<typename Map::mapped_type>{object});
  }
}

void add_removals(const HostState& wanted, const HostState& observed, Operations& steps) {
  each_unwanted(wanted.interceptions, observed.interceptions,
                [&](const auto& key) { steps.push_back(dataplane::RemoveInterception{key}); });
  each_unwanted(wanted.services, observed.services,
                [&](const auto& key) { steps.push_back(dataplane::RemoveService{key}); });
  each_unwanted(wanted.members, observed.members,
                [&](const auto& key) { steps.push_back(dataplane::RemoveMember{key}); });
  each_unwanted(wanted.overlay_addresses, observed.overlay_addresses, [&](const auto& key) {
    steps.push_back(dataplane::RemoveOverlayAddress{key.first, key.second});
  });
  each_unwanted(wanted.overlay_blocks, observed.overlay_blocks, [&](const auto& key) {
    steps.push_back(dataplane::RemoveOverlayBlock{key.first, key.second});
  });
  each_unwanted(wanted.host_routes, observed.host_routes,
                [&](const auto& key) { steps.push_back(dataplane::RemoveHostRoute{key}); });
  each_unwanted(wanted.attachments, observed.attachments,
                [&](const auto& key) { steps.push_back(dataplane::RemoveAttachment{key}); });
  each_unwanted(wanted.overlay_networks, observed.overlay_networks,
                [&](const auto& key) { steps.push_back(dataplane::RemoveOverlayNetwork{key}); });
  each_unwanted(wanted.vlans, observed.vlans,
                [&](const auto& key) { steps.push_back(dataplane::RemoveVlan{key}); });
  each_unwanted(wanted.bridges, observed.bridges,
                [&](const auto& key) { steps.push_back(dataplane::RemoveBridge{key}); });
  if (observed.underlay && !wanted.underlay) steps.push_back(dataplane::RemoveUnderlay{});
}

void add_attachments_and_dependents(const HostState& wanted, const HostState& observed,
                                    Operations& steps) {
  std::set<std::string> renewed;
  // A sandbox has one default route: who gives it up comes before who gets it.
  for (const bool with_routes : {false, true}) {
    for (const auto& [name, attachment] : wanted.attachments) {
      if (attachment.routes.empty() == with_routes) continue;
      if (holds(observed.attachments, name, attachment)) continue;
      renewed.insert(name);
      steps.push_back(Ensure<dataplane::Attachment>{attachment});
    }
  }
  // First what answers to it need: its own packets may be on their way.
  for (const auto& [key, address] : wanted.overlay_addresses) {
    const bool moved = !address.local_device.empty() && renewed.contains(address.local_device);
    if (moved || !holds(observed.overlay_addresses, key, address)) {
      steps.push_back(Ensure<dataplane::OverlayAddress>{address});
    }
  }
  for (const auto& [address, route] : wanted.host_routes) {
    if (renewed.contains(route.device) || !holds(observed.host_routes, address, route)) {
      steps.push_back(Ensure<dataplane::HostRoute>{route});
    }
  }
}

// Whether a service loses a backend, and with it sockets that lead to it.
bool loses_backends(const HostState& wanted, const HostState& observed) {
  const auto at = [](const dataplane::BackendAddress& it) {
    return SocketAddr{it.address, it.port};
  };
  for (const auto& [key, before] : observed.services) {
    const auto after = wanted.services.find(key);
    for (const dataplane::BackendAddress& backend : before.backends) {
      if (after == wanted.services.end() || std::ranges::find(after->second.backends, at(backend),
                                                              at) == after->second.backends.end()) {
        return true;
      }
    }
  }
  return false;
}

void add_published(const HostState& wanted, const HostState& observed, Operations& steps) {
  dataplane::ChangePublished change;
  each_unwanted(wanted.published, observed.published,
                [&](const auto& key) { change.removed.insert(key); });
  for (const auto& [key, target] : wanted.published) {
    if (!holds(observed.published, key, target)) change.put.emplace(key, target);
  }
  if (!change.put.empty() || !change.removed.empty()) steps.push_back(std::move(change));
}

// net/ipv4/conf/hbr0/route_localnet -> hbr0
std::string device_of(const std::string& sysctl) {
  constexpr std::string_view kPerDevice[] = {"net/ipv4/conf/", "net/ipv6/conf/"};
  for (const std::string_view start : kPerDevice) {
    if (!sysctl.starts_with(start)) continue;
    return sysctl.substr(start.size(), sysctl.find('/', start.size()) - start.size());
  }
  return {};
}

// Settings of devices that are made only now, or anew, and then start from defaults.
bool is_late(const HostState& wanted, const HostState& observed, const std::string& sysctl) {
  const std::string device = device_of(sysctl);
  const auto bridge = wanted.bridges.find(device);
  if (bridge != wanted.bridges.end()) return !holds(observed.bridges, device, bridge->second);
  const auto port = wanted.attachments.find(device);
  return port != wanted.attachments.end() && !holds(observed.attachments, device, port->second);
}

// Forwarding makes the kernel forget the routes that routers advertised on devices which do not
// accept them all the same (Documentation/networking/ip-sysctl.rst, accept_ra): that goes first.
void add_sysctls(const HostState& wanted, const HostState& observed, bool late, Operations& steps) {
  for (const bool first : {true, false}) {
    for (const auto& [name, value] : wanted.sysctls) {
      if (name.ends_with("/accept_ra") != first) continue;
      if (is_late(wanted, observed, name) != late) continue;
      if (late || !holds(observed.sysctls, name, value))
        steps.push_back(dataplane::SetSysctl{name, value});
    }
  }
}

}  // namespace

Operations diff(const HostState& wanted, const HostState& observed) {
  Operations steps;
  if (!observed.missing_pins.empty()) {
    steps.push_back(dataplane::RestorePins{observed.missing_pins});
  }
  add_removals(wanted, observed, steps);
  add_sysctls(wanted, observed, false, steps);
  ensure_differing(wanted.bridges, observed.bridges, steps);
  ensure_differing(wanted.vlans, observed.vlans, steps);
  if (wanted.underlay && wanted.underlay != observed.underlay) {
    steps.push_back(Ensure<dataplane::Underlay>{*wanted.underlay});
  }
  ensure_differing(wanted.overlay_networks, observed.overlay_networks, steps);
  ensure_differing(wanted.overlay_blocks, observed.overlay_blocks, steps);
  add_attachments_and_dependents(wanted, observed, steps);
  add_sysctls(wanted, observed, true, steps);
  ensure_differing(wanted.members, observed.members, steps);
  ensure_differing(wanted.services, observed.services, steps);
  if (!observed.stale_flows.empty() || loses_backends(wanted, observed)) {
    steps.push_back(dataplane::EndStaleFlows{});
  }
  ensure_differing(wanted.interceptions, observed.interceptions, steps);
  if (wanted.masquerades != observed.masquerades || wanted.rules != observed.rules) {
    steps.push_back(dataplane::SetRules{wanted.masquerades, wanted.rules});
  }
  add_published(wanted, observed, steps);
  return steps;
}

}  // namespace heddle::reconcile
