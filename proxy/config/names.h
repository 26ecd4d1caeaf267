#pragma once
#include <functional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/net/ip.h"

namespace heddle::config {

// Asks for a name's addresses, and blocks. Errors: `not_found`, `unavailable`.
using Lookup = std::function<Result<std::vector<IpAddr>>(const std::string& host)>;

// The system's own resolution: /etc/hosts, DNS and whatever nsswitch.conf says. Sorted.
Result<std::vector<IpAddr>> look_up(const std::string& host);

}  // namespace heddle::config
