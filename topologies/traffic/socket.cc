#include "topologies/traffic/socket.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace heddle::traffic {
namespace {

constexpr int kBuffer = 8 << 20;
constexpr int kBacklog = 1024;

// Loss must be the network's, not this program's: large buffers, past the limits where root may.
void widen(int fd) {
  for (const int option : {SO_RCVBUFFORCE, SO_SNDBUFFORCE})
    ::setsockopt(fd, SOL_SOCKET, option, &kBuffer, sizeof kBuffer);
}

Result<UniqueFd> open_socket(const SocketAddr& address, int type) {
  const int family = address.address.is_v4() ? AF_INET : AF_INET6;
  UniqueFd fd(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, "open a socket");
  return fd;
}

Result<UniqueFd> bound(std::uint16_t port, int type) {
  const SocketAddr any{IpAddr(), port};
  TRY(UniqueFd fd, open_socket(any, type));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_storage storage;
  const socklen_t length = fill_address(any, storage);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) < 0)
    return fail_errno(errno, "bind port " + std::to_string(port));
  return fd;
}

Result<UniqueFd> connected(const SocketAddr& to, int type) {
  TRY(UniqueFd fd, open_socket(to, type));
  if (type == SOCK_DGRAM) widen(fd.get());
  sockaddr_storage storage;
  const socklen_t length = fill_address(to, storage);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) < 0 &&
      errno != EINPROGRESS)
    return fail_errno(errno, "connect to " + to.format());
  return fd;
}

}  // namespace

socklen_t fill_address(const SocketAddr& address, sockaddr_storage& out) {
  std::memset(&out, 0, sizeof out);
  if (address.address.is_v4()) {
    auto& in = reinterpret_cast<sockaddr_in&>(out);
    in.sin_family = AF_INET;
    in.sin_port = htons(address.port);
    in.sin_addr.s_addr = address.address.v4_be();
    return sizeof in;
  }
  auto& in6 = reinterpret_cast<sockaddr_in6&>(out);
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(address.port);
  std::memcpy(&in6.sin6_addr, address.address.bytes().data(), 16);
  return sizeof in6;
}

Result<SocketAddr> resolve(const std::string& host, std::uint16_t port) {
  if (const auto address = IpAddr::parse(host)) return SocketAddr{*address, port};
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int status = ::getaddrinfo(host.c_str(), nullptr, &hints, &found); status != 0)
    return fail(Errc::not_found, "resolve " + host + ": " + ::gai_strerror(status));
  const auto* in = reinterpret_cast<const sockaddr_in*>(found->ai_addr);
  const SocketAddr out{IpAddr::v4(ntohl(in->sin_addr.s_addr)), port};
  ::freeaddrinfo(found);
  return out;
}

Result<SocketAddr> resolve(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  int port = 0;
  if (colon != std::string::npos)
    std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
  if (colon == std::string::npos || port <= 0 || port > 65535)
    return fail(Errc::invalid, "\"" + text + "\" must be HOST:PORT");
  return resolve(text.substr(0, colon), static_cast<std::uint16_t>(port));
}

Result<UniqueFd> connect_tcp(const SocketAddr& to) {
  TRY(UniqueFd fd, connected(to, SOCK_STREAM));
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

Result<UniqueFd> connect_udp(const SocketAddr& to) {
  return connected(to, SOCK_DGRAM);
}

Result<UniqueFd> listen_tcp(std::uint16_t port) {
  TRY(UniqueFd fd, bound(port, SOCK_STREAM));
  if (::listen(fd.get(), kBacklog) < 0) return fail_errno(errno, "listen");
  return fd;
}

Result<UniqueFd> bind_udp(std::uint16_t port) {
  TRY(UniqueFd fd, bound(port, SOCK_DGRAM));
  widen(fd.get());
  return fd;
}

int pending_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

}  // namespace heddle::traffic
