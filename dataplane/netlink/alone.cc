#include "dataplane/netlink/alone.h"

#include <arpa/inet.h>
#include <linux/if_link.h>

#include "dataplane/netlink/link_message.h"

namespace heddle::netlink {
namespace {

Message link_in(const std::string& name, const Mac& mac, std::uint32_t mtu, int netns) {
  Message message = new_link();
  message.text(IFLA_IFNAME, name).mac(IFLA_ADDRESS, mac).u32(IFLA_MTU, mtu);
  if (netns >= 0) message.u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(netns));
  return message;
}

}  // namespace

Result<> create_dummy(Socket& socket, const Dummy& dummy) {
  Message message = link_in(dummy.name, dummy.mac, dummy.mtu, dummy.netns);
  {
    Message::Nest info(message, IFLA_LINKINFO);
    message.text(IFLA_INFO_KIND, "dummy");
  }
  auto created = socket.request(message, "create dummy " + dummy.name);
  if (!created && created.error().code() == Errc::unsupported)
    return fail(Errc::unsupported,
                "this kernel has no dummy devices (CONFIG_DUMMY): " + created.error().text());
  return created;
}

Result<> create_tunnel(Socket& socket, const Tunnel& tunnel) {
  Message message = link_in(tunnel.name, tunnel.mac, tunnel.mtu, tunnel.netns);
  {
    Message::Nest info(message, IFLA_LINKINFO);
    message.text(IFLA_INFO_KIND, "vxlan");
    Message::Nest data(message, IFLA_INFO_DATA);
    message.u32(IFLA_VXLAN_ID, tunnel.vni.value);
    message.address(tunnel.remote.is_v4() ? IFLA_VXLAN_GROUP : IFLA_VXLAN_GROUP6, tunnel.remote);
    message.be16(IFLA_VXLAN_PORT, tunnel.port);
    if (tunnel.source_port) {
      const std::uint16_t port_be = htons(tunnel.source_port);
      const ifla_vxlan_port_range range{.low = port_be, .high = port_be};
      message.bytes(IFLA_VXLAN_PORT_RANGE, &range, sizeof range);
    }
  }
  return socket.request(message, "create vxlan " + tunnel.name);
}

}  // namespace heddle::netlink
