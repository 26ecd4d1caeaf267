#pragma once
#include <optional>
#include <vector>

#include "common/base/result.h"
#include "dataplane/netlink/link.h"
#include "dataplane/netlink/socket.h"

// Other namespaces than the socket's, by the number that it has for them (rtnetlink(7),
// linux/net_namespace.h): what can be seen and deleted there without entering.
namespace heddle::netlink {

// As in Link::peer_netns. Absent: it has none, so no link leads there.
Result<std::optional<int>> netns_id(Socket& socket, int netns_fd);

// The same, given one if it has none. It goes with the namespace.
Result<int> ensure_netns_id(Socket& socket, int netns_fd);

// All numbers in use.
Result<std::vector<int>> netns_ids(Socket& socket);

// Of the namespace with that number; none when it has gone.
Result<std::vector<Link>> links_of(Socket& socket, int netns_id);
Result<> delete_link_of(Socket& socket, int netns_id, IfIndex index);  // absence is success

}  // namespace heddle::netlink
