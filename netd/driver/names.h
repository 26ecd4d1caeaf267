#pragma once
#include <string>

#include "common/net/link.h"
#include "netd/model/ids.h"

// Names and Ethernet addresses that every plan derives alike from ids.
namespace heddle::driver {

std::string bridge_name(const model::Id& network);   // hdb + 10 digits of the id
std::string host_device(const model::Id& endpoint);  // hdv + 10 digits of the id
inline constexpr const char* kVxlanDevice = "hdx0";

// The gateway of every overlay network, on every node: an endpoint that moves keeps its neighbour.
inline constexpr Mac kAnycastGatewayMac{{0x06, 0x48, 0x44, 0x00, 0x00, 0x01}};

// Locally administered, and apart from endpoints' own (02:48, see netd/ipam).
Mac bridge_mac(const model::Id& network);      // 06:48 + 4 bytes
Mac host_side_mac(const model::Id& endpoint);  // 0a:48 + 4 bytes

}  // namespace heddle::driver
