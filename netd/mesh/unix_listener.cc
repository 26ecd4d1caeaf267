#include "netd/mesh/unix_listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace heddle::mesh {

Result<UniqueFd> listen_unix(const UnixListener& wanted) {
  const std::string& path = wanted.path;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(Errc::invalid, "socket path " + path +
                                   " is longer than 107 bytes; choose a shorter run directory");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  if (::unlink(path.c_str()) < 0 && errno != ENOENT)
    return fail_errno(errno, "remove the old " + path);
  UniqueFd fd(::socket(AF_UNIX, wanted.type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno(errno, "open a unix socket");
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
    return fail_errno(errno, "bind " + path);
  if (::chmod(path.c_str(), 0600) < 0) return fail_errno(errno, "protect " + path);
  if (wanted.uid != ::geteuid() && ::chown(path.c_str(), wanted.uid, 0) < 0)
    return fail_errno(errno, "give " + path + " to the proxies' user");
  if (::listen(fd.get(), wanted.backlog) < 0) return fail_errno(errno, "listen on " + path);
  return fd;
}

Result<Peer> peer_of(int connection) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
    return fail_errno(errno, "ask who connects");
  return Peer{credentials.pid, credentials.uid};
}

}  // namespace heddle::mesh
