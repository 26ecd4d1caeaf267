#include "dataplane/linux/bridges.h"

#include "dataplane/linux/interface.h"

namespace heddle::dataplane {

Result<netlink::Link> Bridges::find_or_create(const Bridge& bridge, Undo& undo) {
  auto created = netlink::create_bridge(
      socket_, {bridge.name, bridge.mac, bridge.mtu, group_, bridge.multicast_snooping});
  if (!created && created.error().code() != Errc::exists)
    return std::unexpected(std::move(created).error());
  TRY(auto link, netlink::find_link(socket_, bridge.name));
  if (!link) return fail(Errc::conflict, "bridge " + bridge.name + " vanished meanwhile");
  if (link->kind != "bridge" || link->group != group_)
    return fail(Errc::exists, "a link named " + bridge.name + " exists and is not ours");
  if (created)
    undo.add([this, index = link->index] { return netlink::delete_link(socket_, index); });
  return *std::move(link);
}

Result<> Bridges::ensure(const Bridge& bridge) {
  Undo undo;
  TRY(const netlink::Link link, find_or_create(bridge, undo));
  TRY_DO(settle_link(socket_, link, {.mac = bridge.mac, .mtu = bridge.mtu}, undo));
  if (link.multicast_snooping != bridge.multicast_snooping) {
    const auto to = [](bool on) { return on ? netlink::Switch::on : netlink::Switch::off; };
    undo.add([this, index = link.index, back = to(link.multicast_snooping)] {
      return netlink::set_multicast_snooping(socket_, index, back);
    });
    TRY_DO(netlink::set_multicast_snooping(socket_, link.index, to(bridge.multicast_snooping)));
  }
  TRY_DO(settle_ipv6(bridge.name, bridge.addresses));
  TRY_DO(settle_addresses(socket_, link, bridge.addresses, undo));
  if (!link.up) TRY_DO(netlink::change_link(socket_, link.index, {.up = true}));
  undo.keep();
  return {};
}

Result<> Bridges::remove(const std::string& name) {
  TRY(const auto link, netlink::find_link(socket_, name));
  if (!link || link->group != group_ || link->kind != "bridge") return {};
  return netlink::delete_link(socket_, link->index);
}

std::map<std::string, Bridge> Bridges::observe(const HostView& view,
                                               const HostState& wanted) const {
  std::map<std::string, Bridge> found;
  for (const netlink::Link& link : view.links) {
    if (link.group != group_ || link.kind != "bridge") continue;
    const auto intent = wanted.bridges.find(link.name);
    found[link.name] = {
        .name = link.name,
        .mac = link.mac,
        .mtu = link.up ? link.mtu : 0,
        .addresses = addresses_of(
            view.addresses, link.index,
            intent == wanted.bridges.end() ? std::vector<IfAddr>() : intent->second.addresses),
        .multicast_snooping = link.multicast_snooping};
  }
  return found;
}

}  // namespace heddle::dataplane
