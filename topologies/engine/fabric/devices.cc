#include "topologies/engine/fabric/devices.h"

#include "dataplane/netlink/address.h"
#include "dataplane/netlink/alone.h"
#include "dataplane/netlink/link.h"
#include "dataplane/netlink/parent.h"
#include "dataplane/netns/netns.h"

namespace heddle::fabric {
namespace {

using netlink::Socket;
using Kind = format::Device::Kind;

Result<IfIndex> parent_of(Socket& machine, const format::Device& what) {
  TRY(const auto link, netlink::find_link(machine, what.parent));
  if (link) return link->index;
  return fail(Errc::not_found, "this machine has no interface " + what.parent);
}

dataplane::ParentMode mode_of(const std::string& mode) {
  if (mode == "vepa") return dataplane::ParentMode::vepa;
  if (mode == "private") return dataplane::ParentMode::separate;
  if (mode == "passthru") return dataplane::ParentMode::passthru;
  return dataplane::ParentMode::bridge;
}

// What a dummy is where the kernel has none: one end of a pair whose other end nobody uses.
Result<> create_dead_end(const netlink::Dummy& dummy, const std::string& switch_netns) {
  TRY(const UniqueFd space, netns::open(switch_netns));
  TRY(Socket socket, Socket::open_in(space.get()));
  TRY(const netlink::Link other,
      netlink::create_veth(socket, {.name = plan::short_name("d-" + dummy.name, kMaxIfName),
                                    .mac = Mac{{0x02, 0, 0, 0, 0, 1}},
                                    .mtu = dummy.mtu,
                                    .group = 0,
                                    .master = {},
                                    .peer_name = dummy.name,
                                    .peer_mac = dummy.mac,
                                    .peer_netns = dummy.netns}));
  return netlink::raise_without_ipv6(socket, other.index);
}

// Under a name of the lab's own first: Linux before 6.13 wants it to be free on the machine too.
Result<> create(Socket& machine, const plan::Device& device, const std::string& name, int netns,
                const std::string& switch_netns) {
  const format::Device& what = device.what;
  switch (what.kind) {
    case Kind::dummy: {
      const netlink::Dummy dummy{
          .name = name, .mac = device.end.mac, .mtu = what.mtu, .netns = netns};
      auto created = netlink::create_dummy(machine, dummy);
      if (!created && created.error().code() == Errc::unsupported)
        return create_dead_end(dummy, switch_netns);
      return created;
    }
    case Kind::macvlan: {
      TRY(const IfIndex parent, parent_of(machine, what));
      netlink::OnParent link{.kind = dataplane::LinkKind::macvlan,
                             .mode = mode_of(what.mode),
                             .parent = parent,
                             .name = name,
                             .mtu = what.mtu,
                             .group = 0,
                             .mac = device.end.mac,
                             .netns = netns};
      if (what.mode == "passthru") link.mac.reset();
      return netlink::create_on_parent(machine, link);
    }
    case Kind::vxlan:
      return netlink::create_tunnel(machine, {.name = name,
                                              .mac = device.end.mac,
                                              .mtu = what.mtu,
                                              .remote = what.remote,
                                              .vni = Vni{what.vni},
                                              .port = what.port,
                                              .source_port = what.source_port,
                                              .netns = netns});
  }
  return {};
}

Result<> create_one(Socket& machine, const plan::Device& device, const std::string& switch_netns) {
  const plan::End& end = device.end;
  const std::string name = plan::short_name("hl-" + end.member + "-" + end.interface, kMaxIfName);
  TRY(const UniqueFd netns, netns::open(end.netns));
  TRY_DO(create(machine, device, name, netns.get(), switch_netns));
  TRY(Socket socket, Socket::open_in(netns.get()));
  TRY(const auto link, netlink::find_link(socket, name));
  if (!link) return fail(Errc::conflict, "it vanished meanwhile");
  TRY_DO(netlink::change_link(socket, link->index, {.name = end.interface}));
  return netlink::set_up_fresh(
      socket, {.link = link->index, .addresses = end.addresses, .routes = {}, .protocol = 0});
}

}  // namespace

Result<> create_devices(const std::vector<const plan::Device*>& devices,
                        const std::string& switch_netns) {
  if (devices.empty()) return {};
  TRY(Socket machine, Socket::open());
  for (const plan::Device* device : devices)
    TRY_DO(create_one(machine, *device, switch_netns)
               .during(device->end.member + ":" + device->end.interface));
  return {};
}

Result<> delete_devices(const std::vector<const plan::Device*>& devices) {
  for (const plan::Device* device : devices) {
    auto netns = netns::open(device->end.netns);
    if (!netns && netns.error().code() == Errc::not_found) continue;
    if (!netns) return std::unexpected(std::move(netns).error());
    TRY(Socket socket, Socket::open_in(netns->get()));
    TRY(const auto link, netlink::find_link(socket, device->end.interface));
    if (link) TRY_DO(netlink::delete_link(socket, link->index));
  }
  return {};
}

}  // namespace heddle::fabric
