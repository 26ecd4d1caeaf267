#pragma once
#include <map>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace heddle::listener {

// Listening descriptors that whoever started the proxy left open for it, by name.
using HandedSockets = std::map<std::string, int>;

// Parses `name=fd,name=fd` (environment HEDDLE_PROXY_SOCKETS) and checks that each is a listening
// stream socket; they are marked close-on-exec.
// Errors: `invalid`, naming the entry.
Result<HandedSockets> parse_handed_sockets(std::string_view text);

}  // namespace heddle::listener
