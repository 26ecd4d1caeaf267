#pragma once
#include <sys/socket.h>

#include <string>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/net/ip.h"

namespace heddle::traffic {

// HOST:PORT by the system's resolver (blocking). Errors: `not_found`.
Result<SocketAddr> resolve(const std::string& host, std::uint16_t port);
Result<SocketAddr> resolve(const std::string& host_and_port);

// Non-blocking sockets. A connect that is under way is success.
Result<UniqueFd> connect_tcp(const SocketAddr& to);
Result<UniqueFd> connect_udp(const SocketAddr& to);
Result<UniqueFd> listen_tcp(std::uint16_t port);
Result<UniqueFd> bind_udp(std::uint16_t port);

socklen_t fill_address(const SocketAddr& address, sockaddr_storage& out);  // gives its length

int pending_error(int fd);  // SO_ERROR

}  // namespace heddle::traffic
