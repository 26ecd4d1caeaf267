#include "proxy/config/bind.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace heddle::config {
namespace {

constexpr int kBacklog = 4096;  // the kernel's own limit, net.core.somaxconn, holds too

socklen_t fill(const SocketAddr& from, sockaddr_storage& to) {
  if (from.address.is_v4()) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(to);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(from.port);
    v4.sin_addr.s_addr = from.address.v4_be();
    return sizeof v4;
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(to);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(from.port);
  std::ranges::copy(from.address.bytes(), v6.sin6_addr.s6_addr);
  return sizeof v6;
}

}  // namespace

Result<UniqueFd> bind_tcp(const SocketAddr& address) {
  const std::string what = "listen at " + address.format();
  const int family = address.address.is_v4() ? AF_INET : AF_INET6;
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, what);
  const int on = 1;
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // [::] is IPv6 alone, so that 0.0.0.0 can stand beside it.
  if (family == AF_INET6) (void)::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  sockaddr_storage storage{};
  const socklen_t size = fill(address, storage);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0 ||
      ::listen(fd.get(), kBacklog) != 0) {
    return fail_errno(errno, what);
  }
  return fd;
}

Result<UniqueFd> bind_unix(const std::string& path, Present theirs) {
  const std::string what = "listen at " + path;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(Errc::invalid, what + ": the path is too long");
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const auto* raw = reinterpret_cast<const sockaddr*>(&address);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, what);
  struct stat there{};
  if (::lstat(path.c_str(), &there) == 0) {
    if (!S_ISSOCK(there.st_mode)) return fail(Errc::exists, what + ": a file is there");
    const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (theirs == Present::left && ::connect(probe.get(), raw, sizeof address) == 0) {
      return fail(Errc::in_use, what + ": another process listens there");
    }
    (void)::unlink(path.c_str());
  }
  const mode_t before = ::umask(0177);
  const int bound = ::bind(fd.get(), raw, sizeof address);
  const int error = errno;
  (void)::umask(before);
  if (bound != 0) return fail_errno(error, what);
  if (::listen(fd.get(), 16) != 0) return fail_errno(errno, what);
  return fd;
}

}  // namespace heddle::config
