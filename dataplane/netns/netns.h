#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/net/ip.h"

// Network namespaces: made, named by a bind mount, entered by helper threads (or a
// Visitor, visitor.h).
// Source: network_namespaces(7), setns(2), socket(7) SO_NETNS_COOKIE.
namespace heddle::netns {

// Makes a namespace and pins it at `path` (an empty file that this creates, and bind-mounts on),
// with loopback up. Errors: `exists` when something is mounted at `path` already.
Result<> create(const std::string& path);

// Pins a namespace that is there already, likewise.
Result<> pin(int netns_fd, const std::string& path);

// Unmounts and removes the pin; the namespace goes with its last process or descriptor.
// Absence is success.
Result<> remove(const std::string& path);

// Opens a namespace. Errors: `not_found`; `invalid` when the file is no network namespace.
Result<UniqueFd> open(const std::string& path);

// The namespace's cookie, unique until reboot.
Result<std::uint64_t> cookie(int netns_fd);

// The cookie of the calling thread's namespace.
Result<std::uint64_t> own_cookie();

// True when both descriptors are the same namespace.
bool same(int netns_fd, int other_fd);

// Runs `work` on a helper thread inside the namespace and waits for it. Whatever `work` opens stays
// in that namespace. Never enters on the caller's thread.
Result<> run_in(int netns_fd, const std::function<Result<>()>& work);

// The same for several namespaces on one helper thread, in order: `work(i)` runs inside
// `netns_fds[i]`. Stops at the first failure.
Result<> run_in_each(const std::vector<int>& netns_fds,
                     const std::function<Result<>(std::size_t)>& work);

// Sockets that belong to the namespace, non-blocking, close-on-exec.
Result<UniqueFd> listen_tcp(int netns_fd, const SocketAddr& address);
Result<UniqueFd> bind_udp(int netns_fd, const SocketAddr& address);
// Begins to connect; writable when that is decided (connect(2), SO_ERROR).
// Errors: what is known at once, as that no route leads there.
Result<UniqueFd> connect_tcp(int netns_fd, const SocketAddr& address);
// The same in the calling thread's namespace, for work that is inside already.
Result<UniqueFd> listen_tcp_here(const SocketAddr& address);
Result<UniqueFd> bind_udp_here(const SocketAddr& address);

}  // namespace heddle::netns
