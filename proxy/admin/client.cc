#include "proxy/admin/client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstring>

#include "common/base/unique_fd.h"

namespace heddle::admin {
namespace {

constexpr std::size_t kMaxAnswer = 64 << 20;

Result<UniqueFd> connect_unix(const std::string& path, std::chrono::seconds patience) {
  const std::string what = "the admin socket " + path;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(Errc::invalid, what + ": the path is too long");
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, what);
  const timeval time{patience.count(), 0};
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail_errno(errno, what);
  }
  return fd;
}

}  // namespace

Result<Answer> ask_proxy(const std::string& socket, const std::string& method,
                         const std::string& target, std::chrono::seconds patience) {
  TRY(const UniqueFd fd, connect_unix(socket, patience));
  const std::string request =
      method + " " + target + " HTTP/1.1\r\nHost: heddle-proxy\r\nContent-Length: 0\r\n\r\n";
  if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return fail_errno(errno, "ask the proxy");
  }
  std::string in;
  char bytes[65536];
  while (in.size() < kMaxAnswer) {
    const ssize_t n = ::recv(fd.get(), bytes, sizeof bytes, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return fail(Errc::timeout, "the proxy did not answer in time");
    if (n < 0) return fail_errno(errno, "the proxy's answer");
    if (n == 0) break;
    in.append(bytes, static_cast<std::size_t>(n));
  }
  Answer out;
  const auto end = in.find("\r\n\r\n");
  constexpr std::string_view kStart = "HTTP/1.1 ";
  if (end == std::string::npos || !in.starts_with(kStart)) {
    return fail(Errc::unavailable, "the proxy's answer was cut short");
  }
  (void)std::from_chars(in.data() + kStart.size(), in.data() + end, out.status);
  out.body = in.substr(end + 4);
  return out;
}

}  // namespace heddle::admin
