#pragma once
#include "common/net/ip.h"
#include "common/net/link.h"
#include "netd/model/ids.h"

namespace heddle::ipam {

// The Ethernet address that goes with an address of a network: locally administered (02:48), the
// same wherever it is derived, unique within the network for IPv4. `attempt`: another one, when
// somebody has that already (two IPv6 addresses may meet, and people choose some themselves).
Mac mac_for(const model::Id& network, const IpAddr& address, int attempt = 0);

}  // namespace heddle::ipam
