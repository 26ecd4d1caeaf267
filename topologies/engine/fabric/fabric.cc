#include "topologies/engine/fabric/fabric.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "dataplane/netlink/address.h"
#include "dataplane/netlink/link.h"
#include "dataplane/netlink/offload.h"
#include "dataplane/netns/netns.h"
#include "dataplane/netns/visitor.h"

namespace heddle::fabric {
namespace {

using netlink::Socket;

constexpr std::uint8_t kBootProtocol = 3;  // RTPROT_BOOT: set by no routing daemon, nor by heddled

// An open namespace and a netlink socket in it.
struct Namespace {
  UniqueFd fd;
  Socket socket;
};

Result<Namespace> open_namespace(const std::string& path) {
  TRY(UniqueFd fd, netns::open(path));
  TRY(Socket socket, Socket::open_in(fd.get()));
  return Namespace{std::move(fd), std::move(socket)};
}

// The machine's own namespace is the one this program runs in.
Result<Namespace> open_end(const plan::End& end) {
  return open_namespace(end.machine ? "/proc/self/ns/net" : end.netns);
}

Result<netlink::Link> need_link(Socket& socket, const std::string& name) {
  TRY(auto link, netlink::find_link(socket, name));
  if (!link) return fail(Errc::not_found, "link " + name + " is not there");
  return *std::move(link);
}

Result<> raise_end(Socket& socket, const plan::End& end) {
  TRY(const netlink::Link link, need_link(socket, end.interface));
  netlink::LinkChange change;
  change.up = true;
  if (!end.master.empty()) {
    TRY(const netlink::Link bridge, need_link(socket, end.master));
    change.master = bridge.index;
  }
  TRY_DO(netlink::change_link(socket, link.index, change));
  for (const IfAddr& address : end.addresses)
    TRY_DO(netlink::add_address(socket, {.link = link.index, .address = address}));
  if (end.gateway) {
    TRY_DO(netlink::add_route(socket, {.destination = Prefix{},
                                       .via = *end.gateway,
                                       .link = link.index,
                                       .protocol = kBootProtocol}));
  }
  return {};
}

// The device of a wire that faces `end`. Nothing but the wire's program deals with what arrives
// there, and it sends nothing of its own.
plan::End wire_end(const plan::Plan& plan, const plan::Veth& veth, const plan::End& end) {
  Mac mac = end.mac;
  mac.bytes[0] ^= 0x04;  // never a source or destination
  return {.member = "",
          .machine = false,
          .netns = plan.paths.switch_netns(),
          .interface = &end == &veth.a ? veth.wire->near : veth.wire->far,
          .mac = mac,
          .addresses = {},
          .master = "",
          .gateway = std::nullopt,
          .label = ""};
}

// The end that a member's power cut takes from the others.
const plan::End& far_end(const plan::Veth& veth, const std::string& member) {
  return veth.a.member == member ? veth.b : veth.a;
}

Result<> set_down(Socket& socket, const std::string& name) {
  TRY(const auto link, netlink::find_link(socket, name));
  if (!link) return {};
  netlink::LinkChange down;
  down.up = false;
  return netlink::change_link(socket, link->index, down);
}

Result<> remove_device(const plan::End& end) {
  auto space = open_end(end);
  if (!space && space.error().code() == Errc::not_found) return {};
  if (!space) return std::unexpected(std::move(space).error());
  TRY(const auto link, netlink::find_link(space->socket, end.interface));
  return link ? netlink::delete_link(space->socket, link->index) : Result<>{};
}

}  // namespace

Result<> Fabric::create() {
  if (plan_.has_switch) TRY_DO(create_switch().during("create the lab's switch"));
  for (const plan::Member& member : plan_.members) {
    if (member.netns.empty()) continue;
    TRY_DO(netns::create(member.netns).during(member.name));
    TRY_DO(set_sysctls(member).during(member.name));
  }
  for (const plan::Veth& veth : plan_.veths) TRY_DO(create_veth(veth));
  return {};
}

Result<> Fabric::create_switch() {
  const std::string path = plan_.paths.switch_netns();
  TRY_DO(netns::create(path));
  TRY(Namespace space, open_namespace(path));
  for (const plan::Bridge& bridge : plan_.bridges) {
    TRY_DO(netlink::create_bridge(space.socket,
                                  {.name = bridge.name, .mac = bridge.mac, .mtu = bridge.mtu}));
    TRY(const netlink::Link link, need_link(space.socket, bridge.name));
    netlink::LinkChange change;
    change.up = true;
    TRY_DO(netlink::change_link(space.socket, link.index, change));
    if (bridge.address)
      TRY_DO(netlink::add_address(space.socket, {.link = link.index, .address = *bridge.address}));
  }
  return {};
}

Result<> Fabric::create_veth(const plan::Veth& veth) {
  if (!veth.wire) return create_pair(veth.a, veth.b, veth.mtu).during("link " + veth.name());
  TRY_DO(create_half(veth, veth.b));
  return create_half(veth, veth.a);
}

Result<> Fabric::create_half(const plan::Veth& veth, const plan::End& end) {
  const std::string what = "link " + veth.name();
  const plan::End wire = wire_end(plan_, veth, end);
  TRY(Namespace own, open_end(end).during(what));
  TRY(Namespace space, open_end(wire).during(what));
  TRY_DO(netlink::create_veth(space.socket, {.name = wire.interface,
                                             .mac = wire.mac,
                                             .mtu = veth.mtu,
                                             .group = 0,
                                             .master = {},
                                             .peer_name = end.interface,
                                             .peer_mac = end.mac,
                                             .peer_netns = own.fd.get()})
             .during(what));
  TRY(const netlink::Link device, need_link(space.socket, wire.interface));
  TRY_DO(netlink::keep_without_ipv6(space.socket, device.index).during(what));
  TRY(const auto visitor, netns::Visitor::open());
  const std::vector<int> spaces{space.fd.get(), own.fd.get()};
  TRY_DO(visitor
             .run_in_each(spaces,
                          [&](std::size_t i) {
                            return netlink::disable_offloads(i == 0 ? wire.interface
                                                                    : end.interface);
                          })
             .during(what));
  return raise_end(own.socket, end).during(what);
}

Result<> Fabric::create_pair(const plan::End& end_a, const plan::End& end_b, std::uint32_t mtu) {
  TRY(Namespace a, open_end(end_a));
  TRY(Namespace b, open_end(end_b));
  TRY_DO(netlink::create_veth(a.socket, {.name = end_a.interface,
                                         .mac = end_a.mac,
                                         .mtu = mtu,
                                         .group = 0,
                                         .master = {},
                                         .peer_name = end_b.interface,
                                         .peer_mac = end_b.mac,
                                         .peer_netns = b.fd.get()}));
  TRY_DO(raise_end(b.socket, end_b));
  return raise_end(a.socket, end_a);
}

Result<> Fabric::set_sysctls(const plan::Member& member) {
  if (member.sysctls.empty()) return {};
  TRY(UniqueFd space, netns::open(member.netns));
  return netns::run_in(space.get(), [&]() -> Result<> {
    for (const auto& [key, value] : member.sysctls) {
      if (!key.starts_with("net.") || key.find('/') != std::string::npos ||
          key.find("..") != std::string::npos)
        return fail(Errc::invalid, "sysctl " + key + ": only net.* belongs to a node");
      std::string path = "/proc/sys/" + key;
      for (char& c : path) c = c == '.' ? '/' : c;
      UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
      if (!fd || ::write(fd.get(), value.data(), value.size()) < 0)
        return fail_errno(errno, "set sysctl " + key + " to " + value);
    }
    return {};
  });
}

Result<> Fabric::cut(const std::string& name) {
  for (const plan::Veth& veth : plan_.veths_of(name)) {
    if (veth.wire) {
      TRY(Namespace space, open_namespace(plan_.paths.switch_netns()));
      TRY_DO(set_down(space.socket, veth.wire->near));
      TRY_DO(set_down(space.socket, veth.wire->far));
      continue;
    }
    // From the other side: nothing that the member still sends gets anywhere.
    const plan::End& far = far_end(veth, name);
    auto space = open_end(far);
    // Not there: that side was cut itself.
    if (!space && space.error().code() == Errc::not_found) continue;
    if (!space) return std::unexpected(std::move(space).error());
    TRY_DO(set_down(space->socket, far.interface));
  }
  return {};
}

Result<> Fabric::remove_member(const std::string& name) {
  for (const plan::Veth& veth : plan_.veths_of(name)) {
    if (!veth.wire) {
      TRY_DO(remove_device(far_end(veth, name)));
      continue;
    }
    // The member's half; a bridge's port or another member at the other end stays.
    for (const plan::End* end : {&veth.a, &veth.b}) {
      if (end->member == name) TRY_DO(remove_device(wire_end(plan_, veth, *end)));
    }
  }
  const plan::Member* member = plan_.find(name);
  return member ? netns::remove(member->netns) : Result<>{};
}

Result<> Fabric::restore(const std::string& name) {
  const plan::Member* member = plan_.find(name);
  if (!member) return fail(Errc::not_found, "no member " + name);
  TRY_DO(netns::create(member->netns).during(name));
  TRY_DO(set_sysctls(*member).during(name));
  for (const plan::Veth& veth : plan_.veths_of(name)) TRY_DO(restore_link(veth, name));
  return {};
}

Result<> Fabric::restore_link(const plan::Veth& veth, const std::string& member) {
  if (veth.wire) {
    for (const plan::End* end : {&veth.a, &veth.b}) {
      if (end->member == member) TRY_DO(create_half(veth, *end));
    }
    return {};
  }
  // A link to a member that is down comes with that member's own start.
  const plan::End& far = far_end(veth, member);
  if (!far.machine && !netns::open(far.netns)) return {};
  return create_veth(veth);
}

}  // namespace heddle::fabric
