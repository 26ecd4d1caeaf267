#include "proxy/listener/original_destination.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

namespace heddle::listener {
namespace {

constexpr int kSoOriginalDst = 80;  // SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST

std::optional<SocketAddr> address_of(const sockaddr_storage& raw) {
  if (raw.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(raw);
    return SocketAddr{IpAddr::v4(ntohl(in.sin_addr.s_addr)), ntohs(in.sin_port)};
  }
  if (raw.ss_family == AF_INET6) {
    const auto& in = reinterpret_cast<const sockaddr_in6&>(raw);
    std::array<std::uint8_t, 16> bytes;
    std::memcpy(bytes.data(), in.sin6_addr.s6_addr, bytes.size());
    return SocketAddr{IpAddr::v6(bytes).unmapped(), ntohs(in.sin6_port)};
  }
  return std::nullopt;
}

std::optional<SocketAddr> option_address(int fd, int level) {
  sockaddr_storage raw{};
  socklen_t size = sizeof raw;
  if (::getsockopt(fd, level, kSoOriginalDst, &raw, &size) != 0) return std::nullopt;
  return address_of(raw);
}

}  // namespace

std::optional<SocketAddr> original_destination(int fd) {
  if (const auto v4 = option_address(fd, IPPROTO_IP)) return v4;
  return option_address(fd, IPPROTO_IPV6);
}

std::optional<SocketAddr> local_address(int fd) {
  sockaddr_storage raw{};
  socklen_t size = sizeof raw;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&raw), &size) != 0) return std::nullopt;
  return address_of(raw);
}

std::optional<SocketAddr> peer_address(int fd) {
  sockaddr_storage raw{};
  socklen_t size = sizeof raw;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&raw), &size) != 0) return std::nullopt;
  return address_of(raw);
}

}  // namespace heddle::listener
