#include "dataplane/netlink/elsewhere.h"

#include <linux/if_link.h>
#include <linux/net_namespace.h>

#include <cerrno>

#include "dataplane/netlink/link_message.h"

namespace heddle::netlink {
namespace {

// NETNSA_NSID_NOT_ASSIGNED (-1) and what is no answer are left out.
std::optional<int> read_id(const nlmsghdr& answer) {
  if (answer.nlmsg_type != RTM_NEWNSID || answer.nlmsg_len < NLMSG_LENGTH(sizeof(rtgenmsg)))
    return std::nullopt;
  const Attributes<NETNSA_MAX> attributes(answer, sizeof(rtgenmsg));
  const int value = static_cast<int>(attributes.u32(NETNSA_NSID, ~0U));
  return value >= 0 ? std::optional(value) : std::nullopt;
}

// EINVAL is what the kernel says of a number that it does not know.
bool means_gone(const Error& error) {
  return error.sys_errno() == EINVAL || error.code() == Errc::not_found;
}

}  // namespace

Result<std::optional<int>> netns_id(Socket& socket, int netns_fd) {
  Message message(RTM_GETNSID, 0);
  message.header(rtgenmsg{.rtgen_family = AF_UNSPEC});
  message.u32(NETNSA_FD, static_cast<std::uint32_t>(netns_fd));
  std::optional<int> id;
  TRY_DO(socket.query(message, "look up a namespace's number", [&](const nlmsghdr& answer) {
    if (const auto value = read_id(answer)) id = value;
  }));
  return id;
}

Result<int> ensure_netns_id(Socket& socket, int netns_fd) {
  TRY(auto id, netns_id(socket, netns_fd));
  if (id) return *id;
  Message message(RTM_NEWNSID, 0);
  message.header(rtgenmsg{.rtgen_family = AF_UNSPEC});
  message.u32(NETNSA_FD, static_cast<std::uint32_t>(netns_fd)).u32(NETNSA_NSID, ~0U);
  auto assigned = socket.request(message, "give a namespace a number");
  if (!assigned && assigned.error().code() != Errc::exists)
    return std::unexpected(std::move(assigned).error());
  TRY(id, netns_id(socket, netns_fd));
  if (!id) return fail(Errc::conflict, "the namespace has no number");
  return *id;
}

Result<std::vector<int>> netns_ids(Socket& socket) {
  Message message(RTM_GETNSID, NLM_F_DUMP);
  message.header(rtgenmsg{.rtgen_family = AF_UNSPEC});
  std::vector<int> ids;
  TRY_DO(socket.query(message, "list namespaces' numbers", [&](const nlmsghdr& answer) {
    if (const auto value = read_id(answer)) ids.push_back(*value);
  }));
  return ids;
}

Result<std::vector<Link>> links_of(Socket& socket, int netns_id) {
  Message message(RTM_GETLINK, NLM_F_DUMP);
  message.header(link_header()).u32(IFLA_TARGET_NETNSID, static_cast<std::uint32_t>(netns_id));
  std::vector<Link> found;
  auto listed =
      socket.query(message, "list another namespace's links", [&](const nlmsghdr& answer) {
        if (auto link = read_link(answer)) found.push_back(*std::move(link));
      });
  if (listed) return found;
  if (means_gone(listed.error())) return std::vector<Link>();
  return std::unexpected(std::move(listed).error());
}

Result<> delete_link_of(Socket& socket, int netns_id, IfIndex index) {
  Message message(RTM_DELLINK, 0);
  message.header(link_header(index));
  message.u32(IFLA_TARGET_NETNSID, static_cast<std::uint32_t>(netns_id));
  auto deleted = socket.request(message, "delete link " + std::to_string(index.value));
  if (deleted || !means_gone(deleted.error())) return deleted;
  return {};
}

}  // namespace heddle::netlink
