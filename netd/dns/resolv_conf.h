#pragma once
#include <string_view>
#include <vector>

#include "common/net/ip.h"

namespace heddle::dns {

// The name servers of a resolv.conf(5), in order, without repetitions; lines that are not
// understood are skipped, as the C library does. Zones of link-local IPv6 addresses are not
// supported.
std::vector<SocketAddr> parse_name_servers(std::string_view text);

}  // namespace heddle::dns
