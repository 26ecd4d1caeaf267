// The operations of FakeKernel, one by one.
#include "dataplane/fake/fake_kernel.h"

namespace heddle::dataplane {
namespace {

Result<> taken(const std::string& name) {
  return fail(Errc::exists, "a link named " + name + " exists and is not ours");
}

}  // namespace

Result<> FakeKernel::put(const Bridge& bridge) {
  if (devices_.contains(bridge.name)) return taken(bridge.name);
  if (is_ours(bridge.name) && !state_.bridges.contains(bridge.name)) return taken(bridge.name);
  if (!is_ours(bridge.name)) indexes_[bridge.name] = next_index_++;
  state_.bridges[bridge.name] = bridge;
  return {};
}

Result<> FakeKernel::put(const VlanDevice& vlan) {
  if (!has_link(vlan.parent))
    return fail(Errc::not_found, "there is no network device " + vlan.parent);
  if (devices_.contains(vlan.name)) return taken(vlan.name);
  if (is_ours(vlan.name) && !state_.vlans.contains(vlan.name)) return taken(vlan.name);
  if (!is_ours(vlan.name)) indexes_[vlan.name] = next_index_++;
  state_.vlans[vlan.name] = vlan;
  return {};
}

Result<> FakeKernel::put(const Attachment& attachment) {
  if (!attachment.parent.empty() && !has_link(attachment.parent))
    return fail(Errc::not_found, "there is no network device " + attachment.parent);
  if (attachment.overlay) TRY_DO(need_programs());
  TRY_DO(need_sandbox(attachment.sandbox));
  if (!attachment.bridge.empty() && !state_.bridges.contains(attachment.bridge))
    return fail(Errc::not_found, "there is no bridge " + attachment.bridge);
  const std::string& name = attachment.host_name;
  const bool has_host_side = attachment.kind == LinkKind::veth;
  if (has_host_side && devices_.contains(name)) return taken(name);
  if (is_ours(name) && !state_.attachments.contains(name)) return taken(name);
  bool inside_taken = sandboxes_[attachment.sandbox].contains(attachment.name);
  for (const auto& [other_name, other] : state_.attachments) {
    inside_taken |=
        other_name != name && other.sandbox == attachment.sandbox && other.name == attachment.name;
  }
  if (inside_taken)
    return fail(Errc::exists, "there is an interface " + attachment.name + " in " +
                                  attachment.sandbox + " already");
  const auto old = state_.attachments.find(name);
  const bool leads_there = old != state_.attachments.end() && old->second.kind == attachment.kind &&
                           old->second.sandbox == attachment.sandbox &&
                           old->second.name == attachment.name;
  if (old != state_.attachments.end() && !leads_there) TRY_DO(take(RemoveAttachment{name}));
  if (has_host_side && !is_ours(name)) indexes_[name] = next_index_++;
  state_.attachments[name] = attachment;
  return {};
}

Result<> FakeKernel::put(const Underlay& underlay) {
  TRY_DO(need_programs());
  if (!has_link(underlay.device))
    return fail(Errc::not_found, "there is no network device " + underlay.device);
  if (devices_.contains(underlay.vxlan_name)) return taken(underlay.vxlan_name);
  if (!is_ours(underlay.vxlan_name)) indexes_[underlay.vxlan_name] = next_index_++;
  state_.underlay = underlay;
  return {};
}

Result<> FakeKernel::put(const HostRoute& route) {
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
  if (!address.vtep && !has_link(address.local_device))
    return fail(Errc::not_found, "there is no network device " + address.local_device);
  state_.overlay_addresses[{address.vni, address.address}] = address;
  return {};
}

Result<> FakeKernel::put(const OverlayBlock& block) {
  TRY_DO(need_programs());
  state_.overlay_blocks[{block.vni, block.prefix}] = block;
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

Result<> FakeKernel::take(const RemoveOverlayBlock& op) {
  TRY_DO(need_programs());
  state_.overlay_blocks.erase({op.vni, op.prefix});
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

Result<> FakeKernel::take(const SetRules& op) {
  state_.masquerades = op.masquerades;
  state_.rules = op.rules;
  return {};
}

Result<> FakeKernel::take(const RemoveVlan& op) {
  if (state_.vlans.contains(op.name)) delete_link(op.name);
  state_.vlans.erase(op.name);
  return {};
}

Result<> FakeKernel::take(const ChangePublished& op) {
  for (const PublishedKey& key : op.removed) state_.published.erase(key);
  for (const auto& [key, target] : op.put) state_.published[key] = target;
  return {};
}

Result<> FakeKernel::take(const RestorePins&) {
  TRY_DO(need_programs());
  state_.missing_pins.clear();
  return {};
}

Result<> FakeKernel::take(const EndStaleFlows&) {
  TRY_DO(need_programs());
  std::erase_if(flows_, [&](const StaleFlow& flow) { return is_stale(flow); });
  return {};
}

Result<> FakeKernel::take(const SetSysctl& op) {
  state_.sysctls[op.name] = op.value;
  return {};
}

}  // namespace heddle::dataplane
