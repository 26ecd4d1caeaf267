#pragma once
#include <map>
#include <string>

#include "dataplane/intent/host_state.h"

namespace heddle::dataplane {

// The settings that a published port needs to be reached at 127.0.0.1: `route_localnet` of the
// device behind which its endpoint is, a bridge or (overlay) the endpoint's own. Only these, and
// only while something is published there: the kernel then takes loopback addresses from the
// device, which the nft table refuses in its place. Pure.
std::map<std::string, std::string> loopback_settings(const HostState& state);

}  // namespace heddle::dataplane
