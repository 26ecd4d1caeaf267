#include "dataplane/intent/loopback.h"

#include <algorithm>

namespace heddle::dataplane {
namespace {

// Empty when the endpoint is behind no device of ours.
std::string device_towards(const HostState& state, const IpAddr& address) {
  const auto route = state.host_routes.find(address);
  if (route != state.host_routes.end()) return route->second.device;
  for (const auto& [name, bridge] : state.bridges) {
    if (std::ranges::any_of(bridge.addresses, [&](const IfAddr& own) {
          return own.address.is_v4() == address.is_v4() && own.prefix().contains(address);
        }))
      return name;
  }
  // A part of a plan may hold the endpoint without its bridge.
  for (const auto& [name, attachment] : state.attachments) {
    if (std::ranges::any_of(attachment.addresses,
                            [&](const IfAddr& own) { return own.address == address; }))
      return attachment.bridge;
  }
  return {};
}

}  // namespace

std::map<std::string, std::string> loopback_settings(const HostState& state) {
  std::map<std::string, std::string> settings;
  for (const auto& [key, target] : state.published) {
    if (!key.address.is_v4() || (!key.address.is_unspecified() && !key.address.is_loopback()))
      continue;
    const std::string device = device_towards(state, target.address);
    if (!device.empty()) settings["net/ipv4/conf/" + device + "/route_localnet"] = "1";
  }
  return settings;
}

}  // namespace heddle::dataplane
