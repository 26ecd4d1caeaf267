#include "dataplane/netlink/link.h"

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include <cstring>

#include "dataplane/netlink/message.h"

namespace heddle::netlink {
namespace {

ifinfomsg link_header(IfIndex index = {}) {
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

void read_vxlan(const Attributes<IFLA_INFO_MAX>& info, Link& link) {
  nlattr* data = info.find(IFLA_INFO_DATA);
  if (link.kind != "vxlan" || !data) return;
  const Attributes<IFLA_VXLAN_MAX> vxlan(data);
  link.vxlan_port = vxlan.be16(IFLA_VXLAN_PORT);
  link.vxlan_external = vxlan.u8(IFLA_VXLAN_COLLECT_METADATA) != 0;
}

std::optional<Link> read_link(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWLINK || message.nlmsg_len < NLMSG_LENGTH(sizeof(ifinfomsg)))
    return std::nullopt;
  const auto* header = static_cast<const ifinfomsg*>(nlmsg_data(&message));
  const Attributes<IFLA_MAX> attributes(message, sizeof(ifinfomsg));
  Link link;
  link.index = {static_cast<std::uint32_t>(header->ifi_index)};
  link.up = header->ifi_flags & IFF_UP;
  link.name = attributes.text(IFLA_IFNAME);
  link.mac = attributes.mac(IFLA_ADDRESS);
  link.mtu = attributes.u32(IFLA_MTU);
  link.group = attributes.u32(IFLA_GROUP);
  link.master = {attributes.u32(IFLA_MASTER)};
  link.peer = {attributes.u32(IFLA_LINK)};
  if (attributes.find(IFLA_LINK_NETNSID))
    link.peer_netns = static_cast<int>(attributes.u32(IFLA_LINK_NETNSID));
  if (nlattr* info = attributes.find(IFLA_LINKINFO)) {
    const Attributes<IFLA_INFO_MAX> nested(info);
    link.kind = nested.text(IFLA_INFO_KIND);
    read_vxlan(nested, link);
  }
  return link;
}

Result<std::optional<Link>> find(Socket& socket, Message message, const std::string& what) {
  std::optional<Link> found;
  auto asked = socket.query(message, what, [&](const nlmsghdr& answer) {
    if (auto link = read_link(answer)) found = std::move(link);
  });
  if (!asked && asked.error().code() != Errc::not_found)
    return std::unexpected(std::move(asked).error());
  return found;
}

}  // namespace

Result<> create_bridge(Socket& socket, const Bridge& bridge) {
  Message message = new_link();
  message.text(IFLA_IFNAME, bridge.name).mac(IFLA_ADDRESS, bridge.mac);
  message.u32(IFLA_MTU, bridge.mtu).u32(IFLA_GROUP, bridge.group);
  {
    Message::Nest info(message, IFLA_LINKINFO);
    message.text(IFLA_INFO_KIND, "bridge");
  }
  return socket.request(message, "create bridge " + bridge.name);
}

Result<> create_veth(Socket& socket, const Veth& veth) {
  Message message = new_link();
  message.text(IFLA_IFNAME, veth.name).mac(IFLA_ADDRESS, veth.mac);
  message.u32(IFLA_MTU, veth.mtu).u32(IFLA_GROUP, veth.group);
  if (veth.master.value) message.u32(IFLA_MASTER, veth.master.value);
  {
    Message::Nest info(message, IFLA_LINKINFO);
    message.text(IFLA_INFO_KIND, "veth");
    Message::Nest data(message, IFLA_INFO_DATA);
    Message::Nest peer(message, VETH_INFO_PEER);
    message.header(link_header());
    message.text(IFLA_IFNAME, veth.peer_name).mac(IFLA_ADDRESS, veth.peer_mac);
    message.u32(IFLA_MTU, veth.mtu);
    if (veth.peer_netns >= 0)
      message.u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(veth.peer_netns));
  }
  return socket.request(message, "create veth " + veth.name + " with peer " + veth.peer_name);
}

Result<> create_vxlan(Socket& socket, const Vxlan& vxlan) {
  Message message = new_link();
  message.text(IFLA_IFNAME, vxlan.name).u32(IFLA_MTU, vxlan.mtu).u32(IFLA_GROUP, vxlan.group);
  {
    Message::Nest info(message, IFLA_LINKINFO);
    message.text(IFLA_INFO_KIND, "vxlan");
    Message::Nest data(message, IFLA_INFO_DATA);
    message.u8(IFLA_VXLAN_COLLECT_METADATA, 1).u8(IFLA_VXLAN_LEARNING, 0);
    message.be16(IFLA_VXLAN_PORT, vxlan.port);
  }
  return socket.request(message, "create vxlan device " + vxlan.name);
}

Result<> change_link(Socket& socket, IfIndex index, const LinkChange& change) {
  ifinfomsg header = link_header(index);
  if (change.up) {
    header.ifi_change = IFF_UP;
    header.ifi_flags = *change.up ? IFF_UP : 0;
  }
  Message message(RTM_NEWLINK, 0);
  message.header(header);
  if (change.mac) message.mac(IFLA_ADDRESS, *change.mac);
  if (change.mtu) message.u32(IFLA_MTU, *change.mtu);
  if (change.master) message.u32(IFLA_MASTER, change.master->value);
  if (change.group) message.u32(IFLA_GROUP, *change.group);
  if (change.name) message.text(IFLA_IFNAME, *change.name);
  return socket.request(message, "change link " + std::to_string(index.value));
}

Result<> delete_link(Socket& socket, IfIndex index) {
  Message message(RTM_DELLINK, 0);
  message.header(link_header(index));
  auto deleted = socket.request(message, "delete link " + std::to_string(index.value));
  if (!deleted && deleted.error().code() == Errc::not_found) return {};
  return deleted;
}

Result<> delete_group(Socket& socket, std::uint32_t group) {
  CHECK(group != 0);  // the group of everybody's links
  Message message(RTM_DELLINK, 0);
  message.header(link_header()).u32(IFLA_GROUP, group);
  auto deleted = socket.request(message, "delete the links of group " + std::to_string(group));
  if (!deleted && deleted.error().code() == Errc::not_found) return {};
  return deleted;
}

Result<std::vector<Link>> links(Socket& socket) {
  Message message(RTM_GETLINK, NLM_F_DUMP);
  message.header(link_header());
  std::vector<Link> found;
  TRY_DO(socket.query(message, "list links", [&](const nlmsghdr& answer) {
    if (auto link = read_link(answer)) found.push_back(*std::move(link));
  }));
  return found;
}

Result<std::optional<Link>> find_link(Socket& socket, const std::string& name) {
  Message message(RTM_GETLINK, 0);
  message.header(link_header()).text(IFLA_IFNAME, name);
  return find(socket, std::move(message), "look up link " + name);
}

Result<std::optional<Link>> find_link(Socket& socket, IfIndex index) {
  Message message(RTM_GETLINK, 0);
  message.header(link_header(index));
  return find(socket, std::move(message), "look up link " + std::to_string(index.value));
}

Result<std::optional<int>> netns_id(Socket& socket, int netns_fd) {
  Message message(RTM_GETNSID, 0);
  message.header(rtgenmsg{.rtgen_family = AF_UNSPEC});
  message.u32(NETNSA_FD, static_cast<std::uint32_t>(netns_fd));
  std::optional<int> id;
  TRY_DO(socket.query(message, "look up a namespace's number", [&](const nlmsghdr& answer) {
    if (answer.nlmsg_type != RTM_NEWNSID) return;
    const Attributes<NETNSA_MAX> attributes(answer, sizeof(rtgenmsg));
    const int value = static_cast<int>(attributes.u32(NETNSA_NSID, ~0U));
    if (value >= 0) id = value;  // NETNSA_NSID_NOT_ASSIGNED is -1
  }));
  return id;
}

}  // namespace heddle::netlink
