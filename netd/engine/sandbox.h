#pragma once
#include <cstdint>
#include <set>
#include <string>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "netd/engine/container.h"
#include "netd/runtime/runtime.h"

namespace heddle::engine {

// The network namespace of one run of a container, held open: it cannot become another one, though
// the process may end and its number be given to somebody else.
struct Sandbox {
  UniqueFd netns;
  runtime::ProcessId process;
  std::uint64_t cookie = 0;  // unique until the next boot (SO_NETNS_COOKIE, socket(7))
  // Of all interfaces in it but loopback, and of those with a default route, when it was opened.
  std::set<std::string> interfaces;
  std::set<std::string> routed;
  std::set<std::string> routed6;
};

// The namespace of a process, unless it is this program's own.
// Errors: `not_found` when the process ended meanwhile; `invalid` for the host's namespace.
Result<Sandbox> open_sandbox(std::int64_t pid);

// Keeps the namespace at `path` until it is taken away there (netns::remove). Idempotent.
Result<> pin_sandbox(const Sandbox& sandbox, const std::string& path);

// Devices with a default route, of /proc/net/route and /proc/net/ipv6_route (proc(5)).
std::set<std::string> default_devices(const std::string& proc_net_route);
std::set<std::string> default_devices6(const std::string& proc_net_ipv6_route);

}  // namespace heddle::engine
