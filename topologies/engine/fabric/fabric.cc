#include "topologies/engine/fabric/fabric.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "dataplane/netlink/address.h"
#include "dataplane/netlink/link.h"
#include "dataplane/netns/netns.h"

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
  if (end.quiet) return netlink::keep_without_ipv6(socket, link.index);
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
  const std::string what = "link " + veth.a.interface + " - " + veth.b.interface;
  TRY(Namespace a, open_end(veth.a).during(what));
  TRY(Namespace b, open_end(veth.b).during(what));
  TRY_DO(netlink::create_veth(a.socket, {.name = veth.a.interface,
                                         .mac = veth.a.mac,
                                         .mtu = veth.mtu,
                                         .group = 0,
                                         .master = {},
                                         .peer_name = veth.b.interface,
                                         .peer_mac = veth.b.mac,
                                         .peer_netns = b.fd.get()})
             .during(what));
  TRY_DO(raise_end(b.socket, veth.b).during(what));
  TRY_DO(raise_end(a.socket, veth.a).during(what));
  return {};
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
    // From the other side: nothing that the member still sends gets anywhere.
    const plan::End& far = veth.a.member == name ? veth.b : veth.a;
    auto space = open_end(far);
    // Not there: that side was cut itself.
    if (!space && space.error().code() == Errc::not_found) continue;
    if (!space) return std::unexpected(std::move(space).error());
    TRY(auto link, netlink::find_link(space->socket, far.interface));
    if (!link) continue;
    netlink::LinkChange down;
    down.up = false;
    TRY_DO(netlink::change_link(space->socket, link->index, down));
  }
  return {};
}

Result<> Fabric::remove_member(const std::string& name) {
  for (const plan::Veth& veth : plan_.veths_of(name)) {
    const plan::End& far = veth.a.member == name ? veth.b : veth.a;
    auto space = open_end(far);
    if (!space && space.error().code() == Errc::not_found) continue;
    if (!space) return std::unexpected(std::move(space).error());
    TRY(auto link, netlink::find_link(space->socket, far.interface));
    if (link) TRY_DO(netlink::delete_link(space->socket, link->index));
  }
  const plan::Member* member = plan_.find(name);
  return member ? netns::remove(member->netns) : Result<>{};
}

Result<> Fabric::restore(const std::string& name) {
  const plan::Member* member = plan_.find(name);
  if (!member) return fail(Errc::not_found, "no member " + name);
  TRY_DO(netns::create(member->netns).during(name));
  TRY_DO(set_sysctls(*member).during(name));
  for (const plan::Veth& veth : plan_.veths_of(name)) {
    const plan::End& far = veth.a.member == name ? veth.b : veth.a;
    // A link to a member that is down comes with that member's own start.
    if (!far.machine && !netns::open(far.netns)) continue;
    TRY_DO(create_veth(veth));
  }
  return {};
}

}  // namespace heddle::fabric
