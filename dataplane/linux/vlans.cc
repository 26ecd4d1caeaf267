#include "dataplane/linux/vlans.h"

#include <cerrno>

#include "dataplane/linux/undo.h"
#include "dataplane/netlink/link.h"
#include "dataplane/netlink/parent.h"

namespace heddle::dataplane {

Result<> Vlans::ensure(const VlanDevice& vlan) {
  TRY(const auto parent, netlink::find_link(socket_, vlan.parent));
  if (!parent) return fail(Errc::not_found, "there is no network device " + vlan.parent);
  TRY(auto link, netlink::find_link(socket_, vlan.name));
  if (link && (link->kind != "vlan" || link->group != group_))
    return fail(Errc::exists, "a link named " + vlan.name + " exists and is not ours");
  if (link && (link->peer != parent->index || link->vlan != vlan.id)) {
    TRY_DO(netlink::delete_link(socket_, link->index));
    link.reset();
  }
  Undo undo;
  if (!link) {
    auto created = netlink::create_vlan(socket_, {vlan.name, parent->index, vlan.id, group_});
    if (!created && created.error().code() == Errc::exists)
      return fail(Errc::exists, "VLAN " + std::to_string(vlan.id) + " of " + vlan.parent +
                                    " is another device's already");
    TRY_DO(std::move(created));
    TRY(link, netlink::find_link(socket_, vlan.name));
    if (!link) return fail(Errc::conflict, "link " + vlan.name + " vanished meanwhile");
    undo.add([this, index = link->index] { return netlink::delete_link(socket_, index); });
  }
  if (!link->up) {
    auto up = netlink::change_link(socket_, link->index, {.up = true});
    if (!up && up.error().sys_errno() == ENETDOWN)
      return fail(Errc::unavailable,
                  vlan.parent + " is down; set it up first (ip link set " + vlan.parent + " up)");
    TRY_DO(std::move(up));
  }
  undo.keep();
  return {};
}

Result<> Vlans::remove(const std::string& name) {
  TRY(const auto link, netlink::find_link(socket_, name));
  if (!link || link->group != group_ || link->kind != "vlan") return {};
  return netlink::delete_link(socket_, link->index);
}

std::map<std::string, VlanDevice> Vlans::observe(const HostView& view) const {
  std::map<std::string, VlanDevice> found;
  for (const netlink::Link& link : view.links) {
    if (link.group != group_ || link.kind != "vlan") continue;
    found[link.name] = {.name = link.name,
                        .parent = view.name(link.peer),
                        .id = link.up ? link.vlan : std::uint16_t{0}};
  }
  return found;
}

}  // namespace heddle::dataplane
