// The operations of FakeKernel, one by one.
#include <algorithm>

#include "dataplane/fake/fake_kernel.h"

namespace heddle::dataplane {
namespace {

Result<> taken(const std::string& name) {
  return fail(Errc::exists, "a link named " + name + " exists and is not ours");
}

// IFNAMSIZ, and dev_valid_name().
Result<> valid_device(const std::string& name) {
  const bool characters =
      std::ranges::all_of(name, [](unsigned char c) { return c > ' ' && c < 0x7f && c != '/'; });
  if (name.empty() || name.size() > kMaxIfName || name == "." || name == ".." || !characters)
    return fail(Errc::invalid, "\"" + name + "\" is no name for a network device");
  return {};
}

Result<> valid_mtu(std::uint32_t mtu) {
  if (mtu < 68 || mtu > 65535) return fail(Errc::invalid, "an MTU is 68 to 65535 bytes");
  return {};
}

Result<> valid_mac(const Mac& mac) {
  if (mac.is_multicast() || mac == Mac()) return fail(Errc::invalid, "no unicast address");
  return {};
}

}  // namespace

Result<> FakeKernel::put(const Bridge& bridge) {
  TRY_DO(valid_device(bridge.name));
  TRY_DO(valid_mtu(bridge.mtu));
  TRY_DO(valid_mac(bridge.mac));
  if (devices_.contains(bridge.name)) return taken(bridge.name);
  if (is_ours(bridge.name) && !state_.bridges.contains(bridge.name)) return taken(bridge.name);
  if (!is_ours(bridge.name)) indexes_[bridge.name] = next_index_++;
  state_.bridges[bridge.name] = bridge;
  return {};
}

Result<> FakeKernel::put(const Attachment& attachment) {
  TRY_DO(valid_device(attachment.host_name));
  TRY_DO(valid_device(attachment.name));
  TRY_DO(valid_mtu(attachment.mtu));
  TRY_DO(valid_mac(attachment.host_mac));
  TRY_DO(valid_mac(attachment.mac));
  if (attachment.overlay && !attachment.bridge.empty())
    return fail(Errc::invalid, "an overlay endpoint is no port of a bridge");
  if (attachment.overlay && attachment.addresses.empty())
    return fail(Errc::invalid, "an overlay endpoint needs an IPv4 address");
  if (attachment.overlay) TRY_DO(need_programs());
  TRY_DO(need_sandbox(attachment.sandbox));
  if (!attachment.bridge.empty() && !state_.bridges.contains(attachment.bridge))
    return fail(Errc::not_found, "there is no bridge " + attachment.bridge);
  const std::string& name = attachment.host_name;
  if (devices_.contains(name)) return taken(name);
  if (is_ours(name) && !state_.attachments.contains(name)) return taken(name);
  bool inside_taken = sandboxes_[attachment.sandbox].contains(attachment.name);
  for (const auto& [other_name, other] : state_.attachments) {
    inside_taken |= other_name != name && other.sandbox == attachment.sandbox &&
                    other.name == attachment.name;
  }
  if (inside_taken)
    return fail(Errc::exists, "there is an interface " + attachment.name + " in " +
                                  attachment.sandbox + " already");
  const auto old = state_.attachments.find(name);
  const bool leads_there = old != state_.attachments.end() &&
                           old->second.sandbox == attachment.sandbox &&
                           old->second.name == attachment.name;
  if (old != state_.attachments.end() && !leads_there) TRY_DO(take(RemoveAttachment{name}));
  if (!is_ours(name)) indexes_[name] = next_index_++;
  state_.attachments[name] = attachment;
  return {};
}

Result<> FakeKernel::put(const Underlay& underlay) {
  TRY_DO(valid_device(underlay.vxlan_name));
  TRY_DO(valid_mtu(underlay.mtu));
  if (!underlay.address.is_v4() || underlay.address.is_unspecified() || underlay.vxlan_port == 0)
    return fail(Errc::invalid, "the underlay needs an IPv4 address and a port");
  TRY_DO(need_programs());
  if (!has_link(underlay.device))
    return fail(Errc::not_found, "there is no network device " + underlay.device);
  if (devices_.contains(underlay.vxlan_name)) return taken(underlay.vxlan_name);
  if (!is_ours(underlay.vxlan_name)) indexes_[underlay.vxlan_name] = next_index_++;
  state_.underlay = underlay;
  return {};
}

Result<> FakeKernel::put(const HostRoute& route) {
  TRY_DO(valid_mac(route.mac));
  if (!has_link(route.device))
    return fail(Errc::not_found, "there is no network device " + route.device);
  state_.host_routes[route.address] = route;
  return {};
}

Result<> FakeKernel::put(const OverlayNetwork& network) {
  TRY_DO(need_programs());
  state_.overlay_networks[network.vni] = network;
  return {};
}

Result<> FakeKernel::put(const OverlayAddress& address) {
  TRY_DO(need_programs());
  if (address.vtep.has_value() == !address.local_device.empty())
    return fail(Errc::invalid, address.address.format() + " is either here or on one other node");
  if (!address.vtep && !has_link(address.local_device))
    return fail(Errc::not_found, "there is no network device " + address.local_device);
  state_.overlay_addresses[{address.vni, address.address}] = address;
  return {};
}

Result<> FakeKernel::put(const ServiceEntry& service) {
  TRY_DO(need_programs());
  state_.services[{service.vip, service.port, service.protocol}] = service;
  return {};
}

Result<> FakeKernel::put(const Member& member) {
  TRY_DO(need_programs());
  TRY_DO(need_sandbox(member.sandbox));
  state_.members[member.sandbox] = member;
  return {};
}

Result<> FakeKernel::put(const Interception& interception) {
  TRY_DO(need_programs());
  TRY_DO(need_sandbox(interception.sandbox));
  if (interception.proxy_cgroup.empty())
    return fail(Errc::invalid, "an interception needs the proxy's cgroup");
  if (!cgroups_.contains(interception.proxy_cgroup))
    return fail(Errc::not_found, "there is no cgroup " + interception.proxy_cgroup);
  if (!interception.inbound.empty() &&
      !listeners_.contains({interception.sandbox, interception.inbound_port}))
    return fail(Errc::unavailable, "nobody listens in " + interception.sandbox + " yet");
  state_.interceptions[interception.sandbox] = interception;
  return {};
}

Result<> FakeKernel::take(const RemoveBridge& op) {
  if (state_.bridges.contains(op.name)) delete_link(op.name);
  return {};
}

Result<> FakeKernel::take(const RemoveAttachment& op) {
  const auto found = state_.attachments.find(op.host_name);
  if (found == state_.attachments.end()) return {};
  found->second.overlay.reset();  // the port's entry goes first
  delete_link(op.host_name);
  state_.attachments.erase(op.host_name);
  return {};
}

Result<> FakeKernel::take(const RemoveUnderlay&) {
  if (state_.underlay) indexes_.erase(state_.underlay->vxlan_name);
  state_.underlay.reset();
  return {};
}

Result<> FakeKernel::take(const RemoveHostRoute& op) {
  state_.host_routes.erase(op.address);
  return {};
}

Result<> FakeKernel::take(const RemoveOverlayNetwork& op) {
  TRY_DO(need_programs());
  state_.overlay_networks.erase(op.vni);
  return {};
}

Result<> FakeKernel::take(const RemoveOverlayAddress& op) {
  TRY_DO(need_programs());
  state_.overlay_addresses.erase({op.vni, op.address});
  return {};
}

Result<> FakeKernel::take(const RemoveService& op) {
  TRY_DO(need_programs());
  state_.services.erase(op.key);
  return {};
}

Result<> FakeKernel::take(const RemoveMember& op) {
  TRY_DO(need_programs());
  state_.members.erase(op.sandbox);
  return {};
}

Result<> FakeKernel::take(const RemoveInterception& op) {
  TRY_DO(need_programs());
  state_.interceptions.erase(op.sandbox);
  return {};
}

Result<> FakeKernel::take(const SetMasquerades& op) {
  for (const Masquerade& masquerade : op.masquerades) {
    if (masquerade.subnet.length() == 0)
      return fail(Errc::invalid, "masquerading needs a subnet");
  }
  state_.masquerades = op.masquerades;
  return {};
}

Result<> FakeKernel::take(const SetSysctl& op) {
  state_.sysctls[op.name] = op.value;
  return {};
}

}  // namespace heddle::dataplane
