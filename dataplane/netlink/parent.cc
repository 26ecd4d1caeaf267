#include "dataplane/netlink/parent.h"

#include <linux/if_link.h>

#include <cerrno>

#include "dataplane/netlink/link_message.h"

namespace heddle::netlink {
namespace {

using dataplane::LinkKind;

Result<> lacking(const Result<>& result, const char* kind, const char* config) {
  return fail(Errc::unsupported, std::string("this kernel has no ") + kind + " devices (" + config +
                                     ", module " + kind + "): " + result.error().text());
}

bool failed_with(const Result<>& result, Errc code) {
  return !result && result.error().code() == code;
}

}  // namespace

Result<> create_on_parent(Socket& socket, const OnParent& link) {
  const bool macvlan = link.kind == LinkKind::macvlan;
  const char* const kind = macvlan ? "macvlan" : "ipvlan";
  Message message = new_link();
  message.text(IFLA_IFNAME, link.name).u32(IFLA_MTU, link.mtu).u32(IFLA_GROUP, link.group);
  message.u32(IFLA_LINK, link.parent.value);
  message.u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(link.netns));
  if (link.mac) message.mac(IFLA_ADDRESS, *link.mac);
  {
    Message::Nest info(message, IFLA_LINKINFO);
    message.text(IFLA_INFO_KIND, kind);
    Message::Nest data(message, IFLA_INFO_DATA);
    if (macvlan) {
      message.u32(IFLA_MACVLAN_MODE, number_of(link.mode));
    } else {
      message.u16(IFLA_IPVLAN_MODE, static_cast<std::uint16_t>(number_of(link.mode)));
    }
  }
  auto created = socket.request(message, std::string("create ") + kind + " " + link.name);
  if (failed_with(created, Errc::unsupported))
    return lacking(created, kind, macvlan ? "CONFIG_MACVLAN" : "CONFIG_IPVLAN");
  return created;
}

Result<> create_vlan(Socket& socket, const Vlan& vlan) {
  Message message = new_link();
  message.text(IFLA_IFNAME, vlan.name).u32(IFLA_GROUP, vlan.group);
  message.u32(IFLA_LINK, vlan.parent.value);
  {
    Message::Nest info(message, IFLA_LINKINFO);
    message.text(IFLA_INFO_KIND, "vlan");
    Message::Nest data(message, IFLA_INFO_DATA);
    message.u16(IFLA_VLAN_ID, vlan.id);
  }
  auto created = socket.request(message, "create VLAN device " + vlan.name);
  if (failed_with(created, Errc::unsupported))
    return lacking(created, "8021q", "CONFIG_VLAN_8021Q");
  return created;
}

}  // namespace heddle::netlink
