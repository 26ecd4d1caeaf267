#include "dataplane/netlink/sock_destroy.h"

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "dataplane/netlink/message.h"

namespace heddle::netlink {
namespace {

void write_address(std::uint8_t family, const IpAddr& address, __be32 (&words)[4]) {
  std::memset(words, 0, sizeof words);
  if (family == AF_INET) {
    words[0] = address.v4_be();
  } else if (address.is_v4()) {
    words[2] = htonl(0x0000ffff);
    words[3] = address.v4_be();
  } else {
    std::memcpy(words, address.bytes().data(), sizeof words);
  }
}

}  // namespace

Result<bool> end_socket(Socket& socket, const ConnectedSocket& connected) {
  inet_diag_req_v2 named{};
  named.sdiag_family = connected.family;
  named.sdiag_protocol = static_cast<__u8>(connected.protocol);
  named.idiag_states = ~std::uint32_t{0};
  named.id.idiag_sport = htons(connected.own.port);
  named.id.idiag_dport = htons(connected.peer.port);
  write_address(connected.family, connected.own.address, named.id.idiag_src);
  write_address(connected.family, connected.peer.address, named.id.idiag_dst);
  named.id.idiag_if = connected.device;
  named.id.idiag_cookie[0] = static_cast<__u32>(connected.cookie);
  named.id.idiag_cookie[1] = static_cast<__u32>(connected.cookie >> 32);
  Message message(SOCK_DESTROY, 0);
  message.header(named);
  auto ended = socket.request(message, "end a socket");
  if (ended) return true;
  const int error = ended.error().sys_errno();
  if (error == ENOENT || error == ESTALE) return false;
  if (error == EOPNOTSUPP || error == EPROTONOSUPPORT)
    return fail(Errc::unsupported, ended.error().text() + ": CONFIG_INET_DIAG_DESTROY is off");
  return std::unexpected(std::move(ended).error());
}

}  // namespace heddle::netlink
