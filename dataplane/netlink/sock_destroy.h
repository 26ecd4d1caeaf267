#pragma once
#include <cstdint>

#include "common/base/result.h"
#include "common/net/ip.h"
#include "dataplane/intent/host_state.h"
#include "dataplane/netlink/socket.h"

namespace heddle::netlink {

// A connected TCP or UDP socket of the network namespace, whosever it is.
struct ConnectedSocket {
  dataplane::Protocol protocol = dataplane::Protocol::tcp;
  std::uint8_t family = 0;  // AF_INET, AF_INET6; addresses may be IPv4 then, too: v4-mapped
  SocketAddr own;
  SocketAddr peer;
  std::uint32_t device = 0;                  // that it is bound to; 0: none
  std::uint64_t cookie = ~std::uint64_t{0};  // so that no successor is hit; ~0: whichever it is
};

// Ends it: its program gets ECONNABORTED, a TCP peer a reset. `socket` is one of open_diag().
// Returns false when there is none (any more).
// Source: sock_diag(7), linux/inet_diag.h.
// Errors: `unsupported` where the kernel cannot (CONFIG_INET_DIAG_DESTROY, CONFIG_INET_UDP_DIAG).
Result<bool> end_socket(Socket& socket, const ConnectedSocket& connected);

}  // namespace heddle::netlink
