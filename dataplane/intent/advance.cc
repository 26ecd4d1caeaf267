#include "dataplane/intent/advance.h"

namespace heddle::dataplane {
namespace {

struct Advance {
  HostState& state;

  void operator()(const Ensure<Bridge>& it) {
    state.bridges.insert_or_assign(it.object.name, it.object);
  }
  // Made anew: what holds its interface index is lost with the old one, as in the kernel.
  void operator()(const Ensure<Attachment>& it) {
    const std::string& name = it.object.host_name;
    const auto [at, fresh] = state.attachments.insert_or_assign(name, it.object);
    if (fresh) return;
    std::erase_if(state.host_routes, [&](const auto& e) { return e.second.device == name; });
    std::erase_if(state.overlay_addresses,
                  [&](const auto& e) { return e.second.local_device == name; });
  }
  void operator()(const Ensure<Underlay>& it) { state.underlay = it.object; }
  void operator()(const Ensure<HostRoute>& it) {
    state.host_routes.insert_or_assign(it.object.address, it.object);
  }
  void operator()(const Ensure<OverlayNetwork>& it) {
    state.overlay_networks.insert_or_assign(it.object.vni, it.object);
  }
  void operator()(const Ensure<OverlayAddress>& it) {
    state.overlay_addresses.insert_or_assign({it.object.vni, it.object.address}, it.object);
  }
  void operator()(const Ensure<OverlayBlock>& it) {
    state.overlay_blocks.insert_or_assign({it.object.vni, it.object.prefix}, it.object);
  }
  void operator()(const Ensure<ServiceEntry>& it) {
    const ServiceEntry& o = it.object;
    state.services.insert_or_assign({o.vip, o.port, o.protocol}, o);
  }
  void operator()(const Ensure<Member>& it) {
    state.members.insert_or_assign(it.object.sandbox, it.object);
  }
  void operator()(const Ensure<Interception>& it) {
    state.interceptions.insert_or_assign(it.object.sandbox, it.object);
  }
  void operator()(const RemoveBridge& it) { state.bridges.erase(it.name); }
  void operator()(const RemoveAttachment& it) { state.attachments.erase(it.host_name); }
  void operator()(const RemoveUnderlay&) { state.underlay.reset(); }
  void operator()(const RemoveHostRoute& it) { state.host_routes.erase(it.address); }
  void operator()(const RemoveOverlayNetwork& it) { state.overlay_networks.erase(it.vni); }
  void operator()(const RemoveOverlayAddress& it) {
    state.overlay_addresses.erase({it.vni, it.address});
  }
  void operator()(const RemoveOverlayBlock& it) { state.overlay_blocks.erase({it.vni, it.prefix}); }
  void operator()(const RemoveService& it) { state.services.erase(it.key); }
  void operator()(const RemoveMember& it) { state.members.erase(it.sandbox); }
  void operator()(const RemoveInterception& it) { state.interceptions.erase(it.sandbox); }
  void operator()(const Ensure<VlanDevice>& it) { state.vlans[it.object.name] = it.object; }
  void operator()(const RemoveVlan& it) { state.vlans.erase(it.name); }
  void operator()(const SetRules& it) {
    state.masquerades = it.masquerades;
    state.rules = it.rules;
  }
  void operator()(const ChangePublished& it) {
    for (const PublishedKey& key : it.removed) state.published.erase(key);
    for (const auto& [key, target] : it.put) state.published[key] = target;
  }
  void operator()(const RestorePins&) { state.missing_pins.clear(); }
  void operator()(const EndStaleFlows&) { state.stale_flows.clear(); }
  void operator()(const SetSysctl& it) { state.sysctls[it.name] = it.value; }
};

}  // namespace

void advance(HostState& state, const Operation& step) {
  std::visit(Advance{state}, step);
}

}  // namespace heddle::dataplane
