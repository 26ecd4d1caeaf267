#include "dataplane/linux/stale_flows.h"

#include <sys/socket.h>

#include <utility>

#include "dataplane/netlink/sock_destroy.h"
#include "dataplane/netns/netns.h"

namespace heddle::dataplane {
namespace {

netlink::ConnectedSocket name_of(const bpf::Programs::StaleSocket& seen) {
  return {.protocol = seen.protocol,
          .family = static_cast<std::uint8_t>(seen.mapped ? AF_INET6 : AF_INET),
          .own = seen.own,
          .peer = seen.peer,
          .device = seen.device.value,
          .cookie = seen.cookie};
}

}  // namespace

Result<StaleFlows::Sockets> StaleFlows::sockets_of(const Paths& members) const {
  TRY(bpf::Programs* const programs, need(programs_));
  auto seen = programs->stale_sockets();
  if (!seen && seen.error().code() == Errc::unsupported) return Sockets();
  if (!seen) return std::unexpected(std::move(seen).error());
  Sockets sockets;
  for (const bpf::Programs::StaleSocket& one : *seen) {
    // Those of namespaces that are members no more are left to themselves, like all else in there.
    if (members.contains(one.netns)) sockets[one.netns].push_back(one);
  }
  return sockets;
}

Result<std::set<StaleFlow>> StaleFlows::find(const Paths& members) const {
  TRY(const Sockets sockets, sockets_of(members));
  std::set<StaleFlow> found;
  for (const auto& [cookie, its] : sockets) {
    for (const bpf::Programs::StaleSocket& one : its)
      found.insert({members.at(cookie), one.protocol, one.own, one.service, one.peer});
  }
  return found;
}

Result<> StaleFlows::end(const Paths& members) const {
  TRY(const Sockets sockets, sockets_of(members));
  Result<> first;
  const auto note = [&](auto result) {
    if (!result && first && result.error().code() != Errc::unsupported)
      first = std::unexpected(std::move(result).error());
  };
  for (const auto& [cookie, its] : sockets) {
    const auto fd = netns::open(members.at(cookie));
    if (!fd) continue;  // its sockets went with it
    note(visitor_.run_in(fd->get(), [&]() -> Result<> {
      TRY(const std::uint64_t found, netns::own_cookie());
      if (found != cookie) return {};  // another namespace under the same path
      TRY(auto socket, netlink::Socket::open_diag());
      for (const bpf::Programs::StaleSocket& one : its)
        note(netlink::end_socket(socket, name_of(one)));
      return {};
    }));
  }
  return first;
}

}  // namespace heddle::dataplane
