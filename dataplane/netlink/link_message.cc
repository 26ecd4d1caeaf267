#include "dataplane/netlink/link_message.h"

#include <linux/if.h>
#include <linux/if_link.h>

namespace heddle::netlink {
namespace {

using dataplane::ParentMode;

void read_vxlan(nlattr* data, Link& link) {
  const Attributes<IFLA_VXLAN_MAX> vxlan(data);
  link.vxlan_port = vxlan.be16(IFLA_VXLAN_PORT);
  link.vxlan_external = vxlan.u8(IFLA_VXLAN_COLLECT_METADATA) != 0;
}

ParentMode macvlan_mode(std::uint32_t number) {
  for (const ParentMode mode :
       {ParentMode::bridge, ParentMode::vepa, ParentMode::separate, ParentMode::passthru}) {
    if (number_of(mode) == number) return mode;
  }
  return ParentMode::none;
}

ParentMode ipvlan_mode(std::uint32_t number) {
  for (const ParentMode mode : {ParentMode::l2, ParentMode::l3, ParentMode::l3s}) {
    if (number_of(mode) == number) return mode;
  }
  return ParentMode::none;
}

void read_kind(const Attributes<IFLA_INFO_MAX>& info, Link& link) {
  link.kind = info.text(IFLA_INFO_KIND);
  if (nlattr* data = info.find(IFLA_INFO_DATA)) {
    if (link.kind == "vxlan") read_vxlan(data, link);
    if (link.kind == "vlan") link.vlan = Attributes<IFLA_VLAN_MAX>(data).u16(IFLA_VLAN_ID);
    if (link.kind == "macvlan")
      link.mode = macvlan_mode(Attributes<IFLA_MACVLAN_MAX>(data).u32(IFLA_MACVLAN_MODE));
    if (link.kind == "ipvlan")
      link.mode = ipvlan_mode(Attributes<IFLA_IPVLAN_MAX>(data).u16(IFLA_IPVLAN_MODE));
    if (link.kind == "bridge") {
      const Attributes<IFLA_BR_MAX> bridge(data);
      if (bridge.find(IFLA_BR_MCAST_SNOOPING))
        link.multicast_snooping = bridge.u8(IFLA_BR_MCAST_SNOOPING) != 0;
    }
  }
  nlattr* port = info.find(IFLA_INFO_SLAVE_DATA);
  if (port && info.text(IFLA_INFO_SLAVE_KIND) == "bridge")
    link.isolated = Attributes<IFLA_BRPORT_MAX>(port).u8(IFLA_BRPORT_ISOLATED) != 0;
}

}  // namespace

std::uint32_t number_of(ParentMode mode) {
  switch (mode) {
    case ParentMode::none:
      break;
    case ParentMode::bridge:
      return MACVLAN_MODE_BRIDGE;
    case ParentMode::vepa:
      return MACVLAN_MODE_VEPA;
    case ParentMode::separate:
      return MACVLAN_MODE_PRIVATE;
    case ParentMode::passthru:
      return MACVLAN_MODE_PASSTHRU;
    case ParentMode::l2:
      return IPVLAN_MODE_L2;
    case ParentMode::l3:
      return IPVLAN_MODE_L3;
    case ParentMode::l3s:
      return IPVLAN_MODE_L3S;
  }
  return ~0U;
}

ifinfomsg link_header(IfIndex index) {
  ifinfomsg header{};
  header.ifi_family = AF_UNSPEC;
  header.ifi_index = static_cast<int>(index.value);
  return header;
}

Message new_link() {
  Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  message.header(link_header());
  return message;
}

std::optional<Link> read_link(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWLINK || message.nlmsg_len < NLMSG_LENGTH(sizeof(ifinfomsg)))
    return std::nullopt;
  const auto* header = static_cast<const ifinfomsg*>(nlmsg_data(&message));
  const Attributes<IFLA_MAX> attributes(message, sizeof(ifinfomsg));
  Link link;
  link.index = {static_cast<std::uint32_t>(header->ifi_index)};
  link.up = header->ifi_flags & IFF_UP;
  link.running = header->ifi_flags & IFF_RUNNING;
  link.name = attributes.text(IFLA_IFNAME);
  link.alias = attributes.text(IFLA_IFALIAS);
  link.mac = attributes.mac(IFLA_ADDRESS);
  link.mtu = attributes.u32(IFLA_MTU);
  link.group = attributes.u32(IFLA_GROUP);
  link.master = {attributes.u32(IFLA_MASTER)};
  link.peer = {attributes.u32(IFLA_LINK)};
  if (attributes.find(IFLA_LINK_NETNSID))
    link.peer_netns = static_cast<int>(attributes.u32(IFLA_LINK_NETNSID));
  if (nlattr* info = attributes.find(IFLA_LINKINFO))
    read_kind(Attributes<IFLA_INFO_MAX>(info), link);
  return link;
}

}  // namespace heddle::netlink
