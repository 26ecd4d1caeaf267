#pragma once
#include <optional>

#include "common/net/ip.h"

namespace heddle::listener {

// Where the client of a redirected connection wanted to go: SO_ORIGINAL_DST, then
// IP6T_SO_ORIGINAL_DST (ip(7), linux/netfilter_ipv4.h). nullopt if it was not redirected.
std::optional<SocketAddr> original_destination(int fd);

std::optional<SocketAddr> local_address(int fd);  // v4-mapped addresses come as IPv4
std::optional<SocketAddr> peer_address(int fd);

}  // namespace heddle::listener
