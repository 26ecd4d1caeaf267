#include "dataplane/netlink/link.h"

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include <cerrno>
#include <deque>

#include "dataplane/netlink/link_message.h"

namespace heddle::netlink {
namespace {

Result<std::optional<Link>> find(Socket& socket, Message message, const std::string& what) {
  std::optional<Link> found;
  auto asked = socket.query(message, what, [&](const nlmsghdr& answer) {
    if (auto link = read_link(answer)) found = std::move(link);
  });
  if (!asked && asked.error().code() != Errc::not_found)
    return std::unexpected(std::move(asked).error());
  return found;
}

// Left to itself the kernel makes a queue for each processor that the machine could have, with
// objects in sysfs, then waits for a grace period to use one of them (veth_init_queues in
// drivers/net/veth.c).
void put_one_queue(Message& message) {
  message.u32(IFLA_NUM_TX_QUEUES, 1).u32(IFLA_NUM_RX_QUEUES, 1);
}

std::string words(const Veth& veth) {
  return "create veth " + veth.name + " with peer " + veth.peer_name;
}

void put_namespace(Message& message, int netns) {
  if (netns >= 0) message.u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(netns));
}

Message veth_message(const Veth& veth, int flags) {
  Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | flags);
  ifinfomsg header = link_header();
  if (veth.up) header.ifi_change = header.ifi_flags = IFF_UP;
  message.header(header);
  message.text(IFLA_IFNAME, veth.name).mac(IFLA_ADDRESS, veth.mac);
  message.u32(IFLA_MTU, veth.mtu).u32(IFLA_GROUP, veth.group);
  put_one_queue(message);
  put_namespace(message, veth.netns);
  if (veth.master.value) message.u32(IFLA_MASTER, veth.master.value);
  {
    Message::Nest info(message, IFLA_LINKINFO);
    message.text(IFLA_INFO_KIND, "veth");
    Message::Nest data(message, IFLA_INFO_DATA);
    Message::Nest peer(message, VETH_INFO_PEER);
    message.header(link_header());
    message.text(IFLA_IFNAME, veth.peer_name).mac(IFLA_ADDRESS, veth.peer_mac);
    message.u32(IFLA_MTU, veth.mtu);
    put_one_queue(message);
    put_namespace(message, veth.peer_netns);
  }
  return message;
}

}  // namespace

Result<> create_bridge(Socket& socket, const Bridge& bridge) {
  Message message = new_link();
  message.text(IFLA_IFNAME, bridge.name).mac(IFLA_ADDRESS, bridge.mac);
  message.u32(IFLA_MTU, bridge.mtu).u32(IFLA_GROUP, bridge.group);
  {
    Message::Nest info(message, IFLA_LINKINFO);
    message.text(IFLA_INFO_KIND, "bridge");
    if (!bridge.multicast_snooping) {
      Message::Nest data(message, IFLA_INFO_DATA);
      message.u8(IFLA_BR_MCAST_SNOOPING, 0);
    }
  }
  return socket.request(message, "create bridge " + bridge.name);
}

Result<Link> create_veth(Socket& socket, const Veth& veth) {
  Message message = veth_message(veth, NLM_F_ECHO);
  std::optional<Link> made;
  TRY_DO(socket.query(message, words(veth), [&](const nlmsghdr& answer) {
    if (auto link = read_link(answer)) made = std::move(link);
  }));
  // Linux before 6.2 does not echo. The echo is from before the link got its master.
  if (!made) {
    TRY(made, find_link(socket, veth.name));
  }
  if (!made) return fail(Errc::conflict, "link " + veth.name + " vanished meanwhile");
  made->master = veth.master;
  return *std::move(made);
}

Result<> create_veths(Socket& socket, const std::vector<Veth>& veths) {
  std::deque<Message> messages;  // steps point to them
  std::vector<Socket::Step> steps;
  for (const Veth& veth : veths)
    steps.push_back({&messages.emplace_back(veth_message(veth, 0)), words(veth)});
  return socket.batch(steps);
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
  if (change.alias) message.text(IFLA_IFALIAS, *change.alias);
  return socket.request(message, "change link " + std::to_string(index.value));
}

Result<> set_multicast_snooping(Socket& socket, IfIndex bridge, Switch to) {
  Message message(RTM_NEWLINK, 0);
  message.header(link_header(bridge));
  {
    Message::Nest info(message, IFLA_LINKINFO);
    message.text(IFLA_INFO_KIND, "bridge");
    Message::Nest data(message, IFLA_INFO_DATA);
    message.u8(IFLA_BR_MCAST_SNOOPING, to == Switch::on);
  }
  return socket.request(message, "set multicast snooping of link " + std::to_string(bridge.value));
}

Result<> set_isolated(Socket& socket, IfIndex port, Switch to) {
  Message message(RTM_NEWLINK, 0);
  message.header(link_header(port));
  {
    Message::Nest info(message, IFLA_LINKINFO);
    message.text(IFLA_INFO_SLAVE_KIND, "bridge");
    Message::Nest data(message, IFLA_INFO_SLAVE_DATA);
    message.u8(IFLA_BRPORT_ISOLATED, to == Switch::on);
  }
  return socket.request(message, "isolate port " + std::to_string(port.value));
}

namespace {

void put_no_ipv6(Message& message) {
  const Message::Nest families(message, IFLA_AF_SPEC);
  const Message::Nest ipv6(message, AF_INET6);
  message.u8(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
}

}  // namespace

Result<> raise_without_ipv6(Socket& socket, IfIndex index) {
  ifinfomsg header = link_header(index);
  header.ifi_change = IFF_UP;
  header.ifi_flags = IFF_UP;
  Message message(RTM_NEWLINK, 0);
  message.header(header);
  put_no_ipv6(message);
  auto up = socket.request(message, "set up link " + std::to_string(index.value));
  // No IPv6 in this kernel, or none on a link of fewer than 1280 bytes.
  if (!up && up.error().sys_errno() == EAFNOSUPPORT)
    return change_link(socket, index, {.up = true});
  return up;
}

Result<> keep_without_ipv6(Socket& socket, IfIndex index) {
  Message message(RTM_NEWLINK, 0);
  message.header(link_header(index));
  put_no_ipv6(message);
  auto kept =
      socket.request(message, "keep IPv6 addresses from link " + std::to_string(index.value));
  if (!kept && kept.error().sys_errno() == EAFNOSUPPORT) return {};
  return kept;
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

}  // namespace heddle::netlink
