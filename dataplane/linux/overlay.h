#pragma once
#include <string>

#include "common/base/result.h"
#include "dataplane/intent/operation.h"
#include "dataplane/linux/attachments.h"
#include "dataplane/linux/host_view.h"
#include "dataplane/netlink/socket.h"

namespace heddle::dataplane {

// The way to other nodes and what the eBPF programs know about the overlay's addresses.
class Overlay final {
 public:
  Overlay(netlink::Socket& socket, std::uint32_t group, const ProgramsOrError& programs)
      : socket_(socket), group_(group), programs_(programs) {}

  // Errors: `not_found` without the device; `exists` when another VXLAN device has the UDP port.
  Result<> ensure(const Underlay& underlay);
  Result<> remove_underlay();
  Result<> ensure(const HostRoute& route);
  Result<> remove_route(const IpAddr& address);
  Result<> ensure(const OverlayAddress& address);

  // An underlay whose device, MAC or hook is not as it was shows without a device's name.
  Result<> observe(const HostView& view, HostState& state) const;

 private:
  Result<netlink::Link> find_or_create_vxlan(const Underlay& underlay, Undo& undo);
  Result<> raise_vxlan(const netlink::Link& vxlan, const Underlay& underlay);
  void observe_routes(const HostView& view, HostState& state) const;

  netlink::Socket& socket_;
  const std::uint32_t group_;
  const ProgramsOrError& programs_;
};

}  // namespace heddle::dataplane
