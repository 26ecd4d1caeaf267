#include "dataplane/linux/inside.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/base/unique_fd.h"
#include "dataplane/linux/interface.h"
#include "dataplane/linux/sysctl.h"

namespace heddle::dataplane {
namespace {

constexpr IfIndex kLoopback{1};  // LOOPBACK_IFINDEX of every namespace

// Asked without the lock that netlink requests wait for.
bool loopback_is_up() {
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  return fd && ::ioctl(fd.get(), SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) != 0;
}

Result<> raise_loopback(netlink::Socket& socket) {
  TRY(const auto link, netlink::find_link(socket, kLoopback));
  if (!link || link->up) return {};
  return netlink::change_link(socket, kLoopback, {.up = true});
}

netlink::Rate rate_out(const Attachment& attachment) {
  return {.bits = attachment.rate_out, .mtu = attachment.mtu};
}

Result<> settle_sysctls(const Attachment& attachment, ProcRoot proc) {
  TRY_DO(settle_ipv6(attachment.name, attachment.addresses, attachment.sysctls, proc));
  for (const auto& [name, value] : attachment.sysctls) {
    TRY_DO(write_interface_sysctl(name, value, proc));
  }
  return {};
}

// Settings and the queue come before the link is up: the kernel acts on the first when it goes up,
// and changing the second later costs a grace period.
Result<> set_up(const Attachment& attachment, const InsideLink& inside) {
  const IfIndex index = inside.index;
  TRY(auto socket, netlink::Socket::open());
  TRY_DO(settle_sysctls(attachment, inside.proc));
  if (attachment.rate_out) TRY_DO(netlink::put_rate(socket, index, rate_out(attachment)));
  netlink::FreshLink fresh{.link = index, .addresses = attachment.addresses, .routes = {}};
  if (!loopback_is_up()) fresh.loopback = kLoopback;
  for (const Route& route : in_order(attachment.routes)) {
    fresh.routes.push_back({route.destination, route.via, index});
  }
  auto done = netlink::set_up_fresh(socket, fresh);
  // A fresh link has no addresses that others could collide with.
  if (!done && done.error().sys_errno() == EEXIST)
    return fail(Errc::exists,
                "there is a route to the same destination through another interface"
                " in " +
                    attachment.sandbox + ": " + done.error().text());
  return done;
}

Result<> settle(const Attachment& attachment, const InsideLink& inside) {
  const IfIndex index = inside.index;
  TRY(auto socket, netlink::Socket::open());
  Undo undo;
  TRY_DO(raise_loopback(socket));
  TRY(const auto link, netlink::find_link(socket, index));
  if (!link) return fail(Errc::not_found, attachment.name + " vanished from the sandbox");
  WantedLink wanted{.mtu = attachment.mtu};
  if (has_own_mac(attachment)) wanted.mac = attachment.mac;
  TRY_DO(settle_link(socket, *link, wanted, undo));
  TRY_DO(settle_sysctls(attachment, inside.proc));
  TRY_DO(settle_rate(socket, index, rate_out(attachment), undo));
  TRY_DO(settle_addresses(socket, *link, attachment.addresses, undo));
  if (!link->up) TRY_DO(netlink::change_link(socket, index, {.up = true}));
  TRY_DO(settle_routes(socket, index, attachment.routes, undo));
  undo.keep();
  return {};
}

}  // namespace

bool has_own_mac(const Attachment& attachment) {
  return attachment.kind != LinkKind::ipvlan && attachment.mode != ParentMode::passthru;
}

Result<> settle_inside(const netns::Visitor& visitor, const Attachment& attachment,
                       const InsideLink& inside) {
  return visitor.run_in(inside.sandbox, [&]() -> Result<> {
    return inside.fresh ? set_up(attachment, inside) : settle(attachment, inside);
  });
}

void see_inside(const Attachment& wanted, const SandboxView& sandbox, const netlink::Link& link,
                Attachment& found) {
  found.sandbox = wanted.sandbox;
  found.name = link.name;
  found.mac = has_own_mac(wanted) ? link.mac : wanted.mac;
  if (!link.up) found.mtu = 0;
  if (found.mtu == wanted.mtu) found.mtu = link.mtu;
  found.addresses = addresses_of(sandbox.addresses, link.index, wanted.addresses);
  found.routes = routes_of(sandbox.routes, link.index, wanted.routes);
  found.rate_out = rate_seen(sandbox.rates, link.index, rate_out(wanted));
  for (const auto& [name, value] : wanted.sysctls) {
    const auto now = sandbox.sysctls.find(name);
    if (now != sandbox.sysctls.end()) found.sysctls[name] = now->second;
  }
}

Error name_taken_inside(const Attachment& attachment) {
  return Error(Errc::exists, "there is an interface " + attachment.name + " in " +
                                 attachment.sandbox + " already");
}

}  // namespace heddle::dataplane
