#include "tests/bpf/support/plain_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

namespace heddle::testing {
namespace {

constexpr std::chrono::milliseconds kPatience(2000);
constexpr int kOriginalDestination = 80;  // linux/netfilter_ipv4.h

struct Raw {
  sockaddr_storage storage{};
  socklen_t bytes = sizeof(sockaddr_storage);
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

Raw raw_of(const SocketAddr& address, Family family) {
  Raw raw;
  if (family == Family::v4) {
    auto* in = reinterpret_cast<sockaddr_in*>(&raw.storage);
    in->sin_family = AF_INET;
    in->sin_port = htons(address.port);
    in->sin_addr.s_addr = address.address.v4_be();
    raw.bytes = sizeof(*in);
  } else {
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&raw.storage);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(address.port);
    in6->sin6_addr.s6_addr[10] = 0xff;
    in6->sin6_addr.s6_addr[11] = 0xff;
    const std::uint32_t value = address.address.v4_be();
    std::memcpy(&in6->sin6_addr.s6_addr[12], &value, sizeof(value));
    raw.bytes = sizeof(*in6);
  }
  return raw;
}

SocketAddr address_of(const Raw& raw) {
  if (raw.storage.ss_family == AF_INET6) {
    const auto* in6 = reinterpret_cast<const sockaddr_in6*>(&raw.storage);
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), in6->sin6_addr.s6_addr, bytes.size());
    return {IpAddr::v6(bytes).unmapped(), ntohs(in6->sin6_port)};
  }
  const auto* in = reinterpret_cast<const sockaddr_in*>(&raw.storage);
  return {IpAddr::v4(ntohl(in->sin_addr.s_addr)), ntohs(in->sin_port)};
}

Result<UniqueFd> open_socket(int type, Family family) {
  UniqueFd fd(::socket(family == Family::v4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, "socket");
  give_up_after(fd.get(), kPatience);
  return fd;
}

Result<UniqueFd> bound(int type, const SocketAddr& at) {
  TRY(UniqueFd fd, open_socket(type, Family::v4));
  const int yes = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  Raw raw = raw_of(at, Family::v4);
  if (::bind(fd.get(), raw.get(), raw.bytes) != 0) return fail_errno(errno, "bind " + at.format());
  return fd;
}

}  // namespace

SocketAddr at(const std::string& text) {
  return SocketAddr::parse(text).value();
}

void give_up_after(int socket, std::chrono::milliseconds patience) {
  const timeval span{.tv_sec = patience.count() / 1000, .tv_usec = patience.count() % 1000 * 1000};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &span, sizeof(span));
}

Result<UniqueFd> tcp_listen(const SocketAddr& at) {
  TRY(UniqueFd fd, bound(SOCK_STREAM, at));
  if (::listen(fd.get(), 1024) != 0) return fail_errno(errno, "listen");
  return fd;
}

Result<UniqueFd> tcp_connect(const SocketAddr& to, Family family) {
  TRY(UniqueFd fd, open_socket(SOCK_STREAM, family));
  Raw raw = raw_of(to, family);
  if (::connect(fd.get(), raw.get(), raw.bytes) != 0)
    return fail_errno(errno, "connect " + to.format());
  return fd;
}

Result<UniqueFd> tcp_connect_from(const SocketAddr& from, const SocketAddr& to) {
  TRY(UniqueFd fd, bound(SOCK_STREAM, from));
  Raw raw = raw_of(to, Family::v4);
  if (::connect(fd.get(), raw.get(), raw.bytes) != 0)
    return fail_errno(errno, "connect " + to.format());
  return fd;
}

Result<UniqueFd> tcp_accept(int listener) {
  UniqueFd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  if (!fd) return fail_errno(errno, "accept");
  give_up_after(fd.get(), kPatience);
  return fd;
}

Result<UniqueFd> udp_bind(const SocketAddr& at) {
  return bound(SOCK_DGRAM, at);
}
Result<UniqueFd> udp_open(Family family) {
  return open_socket(SOCK_DGRAM, family);
}

Result<> udp_connect(int socket, const SocketAddr& to, Family family) {
  Raw raw = raw_of(to, family);
  if (::connect(socket, raw.get(), raw.bytes) != 0)
    return fail_errno(errno, "connect " + to.format());
  return {};
}

Result<> send_to(int socket, const std::string& text, const SocketAddr& to, Family family) {
  Raw raw = raw_of(to, family);
  if (::sendto(socket, text.data(), text.size(), 0, raw.get(), raw.bytes) < 0)
    return fail_errno(errno, "send to " + to.format());
  return {};
}

Result<Datagram> receive(int socket) {
  std::string buffer(65536, '\0');
  Raw raw;
  const ssize_t count = ::recvfrom(socket, buffer.data(), buffer.size(), 0, raw.get(), &raw.bytes);
  if (count < 0) return fail_errno(errno, "receive");
  buffer.resize(static_cast<std::size_t>(count));
  return Datagram{.text = std::move(buffer), .from = address_of(raw)};
}

Result<> send_text(int socket, const std::string& text) {
  if (::send(socket, text.data(), text.size(), MSG_NOSIGNAL) < 0) return fail_errno(errno, "send");
  return {};
}

Result<std::string> read_text(int socket) {
  TRY(Datagram got, receive(socket));
  return std::move(got.text);
}

Result<SocketAddr> peer_of(int socket) {
  Raw raw;
  if (::getpeername(socket, raw.get(), &raw.bytes) != 0) return fail_errno(errno, "getpeername");
  return address_of(raw);
}

Result<SocketAddr> own_end_of(int socket) {
  Raw raw;
  if (::getsockname(socket, raw.get(), &raw.bytes) != 0) return fail_errno(errno, "getsockname");
  return address_of(raw);
}

Result<SocketAddr> original_destination(int socket, Family family) {
  Raw raw;
  const int level = family == Family::v4 ? SOL_IP : SOL_IPV6;
  if (::getsockopt(socket, level, kOriginalDestination, raw.get(), &raw.bytes) != 0)
    return fail_errno(errno, "getsockopt SO_ORIGINAL_DST");
  return address_of(raw);
}

std::uint64_t netns_cookie() {
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  std::uint64_t cookie = 0;
  socklen_t bytes = sizeof(cookie);
  ::getsockopt(fd.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &bytes);
  return cookie;
}

}  // namespace heddle::testing
