#include "dataplane/linux/overlay.h"

#include <algorithm>

#include "dataplane/linux/interface.h"

namespace heddle::dataplane {
namespace {

Prefix whole(const IpAddr& address) {
  return Prefix::containing(address, address.is_v4() ? 32 : 128);
}

Result<netlink::Link> need_link(netlink::Socket& socket, const std::string& name) {
  TRY(auto link, netlink::find_link(socket, name));
  if (!link) return fail(Errc::not_found, "there is no network device " + name);
  return *std::move(link);
}

}  // namespace

// A device's port cannot be changed. The one for another port stays until its successor listens, so
// that a port that is taken costs nothing.
Result<netlink::Link> Overlay::find_or_create_vxlan(const Underlay& underlay, Undo& undo) {
  TRY(const auto all, netlink::links(socket_));
  std::vector<IfIndex> old;
  bool name_in_use = false;
  for (const netlink::Link& link : all) {
    const bool named = link.name == underlay.vxlan_name;
    const bool ours = link.kind == "vxlan" && link.group == group_;
    if (named && !ours)
      return fail(Errc::exists, "a link named " + link.name + " exists and is not ours");
    if (named && link.vxlan_external && link.vxlan_port == underlay.vxlan_port) return link;
    if (ours) old.push_back(link.index);
    name_in_use |= named;
  }
  const std::string name =
      name_in_use ? underlay.vxlan_name.substr(0, 11) + "-new" : underlay.vxlan_name;
  TRY_DO(netlink::create_vxlan(socket_, {name, underlay.vxlan_port, underlay.mtu, group_}));
  TRY(auto link, need_link(socket_, name));
  undo.add([this, index = link.index] { return netlink::delete_link(socket_, index); });
  TRY_DO(raise_vxlan(link, underlay));
  for (const IfIndex index : old) TRY_DO(netlink::delete_link(socket_, index));
  if (!name_in_use) return need_link(socket_, name);
  // Renaming a link that is up needs Linux 6.2.
  TRY_DO(netlink::change_link(socket_, link.index, {.up = false}));
  TRY_DO(netlink::change_link(socket_, link.index, {.name = underlay.vxlan_name}));
  return need_link(socket_, underlay.vxlan_name);
}

Result<> Overlay::raise_vxlan(const netlink::Link& vxlan, const Underlay& underlay) {
  TRY_DO(settle_ipv6(vxlan.name, {}));
  auto up = netlink::change_link(socket_, vxlan.index, {.up = true});
  if (up || up.error().code() != Errc::exists) return up;
  return fail(Errc::exists, "UDP port " + std::to_string(underlay.vxlan_port) +
                                " is taken, perhaps by another VXLAN device on this host; choose "
                                "another data port");
}

Result<> Overlay::ensure(const Underlay& underlay) {
  TRY(bpf::Programs* const programs, need(programs_));
  TRY(const netlink::Link device, need_link(socket_, underlay.device));
  Undo undo;
  TRY(const netlink::Link vxlan, find_or_create_vxlan(underlay, undo));
  TRY_DO(settle_link(socket_, vxlan, {.mtu = underlay.mtu}, undo));
  if (!vxlan.up) TRY_DO(raise_vxlan(vxlan, underlay));
  TRY_DO(programs->attach_underlay({.device = device.index,
                                    .device_mac = device.mac,
                                    .vxlan = vxlan.index,
                                    .address = underlay.address,
                                    .vxlan_port = underlay.vxlan_port,
                                    .epoch = underlay.epoch}));
  undo.keep();
  return {};
}

Result<> Overlay::remove_underlay() {
  Result<> first;
  if (programs_) first = (*programs_)->detach_underlay();
  TRY(const auto all, netlink::links(socket_));
  for (const netlink::Link& link : all) {
    if (link.kind != "vxlan" || link.group != group_) continue;
    auto deleted = netlink::delete_link(socket_, link.index);
    if (first) first = std::move(deleted);
  }
  return first;
}

Result<> Overlay::ensure(const HostRoute& route) {
  TRY(const netlink::Link device, need_link(socket_, route.device));
  const netlink::Neighbour neighbour{route.address, route.mac, device.index};
  const netlink::RouteEntry entry{whole(route.address), std::nullopt, device.index};
  Undo undo;
  TRY_DO(netlink::put_neighbour(socket_, neighbour));
  undo.add([&] { return netlink::delete_neighbour(socket_, neighbour); });
  auto added = netlink::add_route(socket_, entry);
  if (!added && added.error().code() == Errc::exists) {
    TRY(const auto all, netlink::routes(socket_));
    const auto old = std::ranges::find(all, entry.destination, &netlink::RouteEntry::destination);
    if (old != all.end() && old->protocol != netlink::kHeddleProtocol)
      return fail(Errc::exists,
                  "there is a route to " + entry.destination.format() + " that is not ours");
    added = netlink::replace_route(socket_, entry);
  }
  TRY_DO(std::move(added));
  undo.keep();
  return {};
}

Result<> Overlay::remove_route(const IpAddr& address) {
  Result<> first;
  const auto note = [&](Result<> result) {
    if (first) first = std::move(result);
  };
  TRY(const auto all, netlink::routes(socket_));
  for (const netlink::RouteEntry& entry : all) {
    if (entry.destination != whole(address) || entry.protocol != netlink::kHeddleProtocol) continue;
    note(netlink::delete_route(socket_, entry));
    note(netlink::delete_neighbour(socket_, {address, Mac(), entry.link}));
  }
  return first;
}

Result<> Overlay::ensure(const OverlayAddress& address) {
  TRY(bpf::Programs* const programs, need(programs_));
  bpf::Programs::Address entry{.vni = address.vni,
                               .address = address.address,
                               .mac = address.mac,
                               .local = {},
                               .vtep = address.vtep,
                               .queued = false};
  if (!address.vtep) {
    TRY(const netlink::Link device, need_link(socket_, address.local_device));
    entry.local = device.index;
    TRY(const auto rate, netlink::rate_of(socket_, device.index));
    entry.queued = rate.has_value();
  }
  return programs->put_address(entry);
}

void Overlay::observe_routes(const HostView& view, HostState& state) const {
  for (const netlink::RouteEntry& entry : view.routes) {
    const IpAddr& address = entry.destination.address();
    const netlink::Link* link = view.link(entry.link);
    if (entry.protocol != netlink::kHeddleProtocol || entry.destination != whole(address)) continue;
    if (!link || link->group != group_) continue;
    HostRoute route{.address = address, .device = link->name, .mac = {}};
    for (const netlink::Neighbour& neighbour : view.neighbours) {
      if (neighbour.address == address && neighbour.link == entry.link) route.mac = neighbour.mac;
    }
    state.host_routes[address] = std::move(route);
  }
}

Result<> Overlay::observe(const HostView& view, HostState& state) const {
  observe_routes(view, state);
  std::optional<bpf::Programs::UnderlayHook> hook;
  if (programs_) {
    TRY(hook, (*programs_)->underlay());
  }
  const auto is_vxlan = [&](const netlink::Link& link) {
    return link.kind == "vxlan" && link.group == group_;
  };
  const auto vxlan = std::ranges::find_if(view.links, is_vxlan);
  const bool only = std::ranges::count_if(view.links, is_vxlan) == 1;
  if (hook || vxlan != view.links.end()) {
    Underlay& underlay = state.underlay.emplace();
    underlay.mtu = 0;
    underlay.vxlan_port = 0;
    if (vxlan != view.links.end()) {
      underlay.vxlan_name = vxlan->name;
      underlay.vxlan_port = vxlan->vxlan_external ? vxlan->vxlan_port : 0;
      underlay.mtu = vxlan->up ? vxlan->mtu : 0;
    }
    if (hook) {
      underlay.address = hook->address;
      underlay.epoch = hook->epoch;
      const netlink::Link* device = view.link(hook->device);
      const bool whole_hook = only && vxlan != view.links.end() && hook->vxlan == vxlan->index &&
                              hook->vxlan_port == vxlan->vxlan_port && device &&
                              device->mac == hook->device_mac;
      if (whole_hook) underlay.device = device->name;
    }
  }
  if (!programs_) return {};
  TRY(const auto addresses, (*programs_)->addresses());
  for (const bpf::Programs::Address& entry : addresses) {
    // One that passes by its device's queue, or waits for none, is to be put again.
    const bool limited =
        std::ranges::find(view.rates, entry.local, &netlink::SeenRate::link) != view.rates.end();
    state.overlay_addresses[{entry.vni, entry.address}] = {
        .vni = entry.vni,
        .address = entry.address,
        .mac = entry.mac,
        .local_device = entry.local.value && entry.queued == limited ? view.name(entry.local) : "",
        .vtep = entry.vtep};
  }
  return {};
}

}  // namespace heddle::dataplane
