#include "netd/mesh/unix_listener.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace heddle::mesh {

Result<UniqueFd> listen_unix(const UnixSocket& wanted) {
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

Result<std::unique_ptr<UnixListener>> UnixListener::start(Settings settings) {
  std::unique_ptr<UnixListener> made(new UnixListener(std::move(settings)));
  TRY(made->listener_, listen_unix(made->settings_.socket));
  made->stop_.reset(::eventfd(0, EFD_CLOEXEC));
  if (!made->stop_) return fail_errno(errno, "eventfd");
  made->thread_ = std::thread([raw = made.get()] { raw->accept_all(); });
  return made;
}

UnixListener::~UnixListener() {
  if (!thread_.joinable()) return;
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
}

void UnixListener::accept_all() {
  for (;;) {
    pollfd polled[2] = {{listener_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    if (::poll(polled, 2, -1) < 0 && errno != EINTR) return;
    if (polled[1].revents != 0) return;
    if (polled[0].revents != 0) accept_one();
  }
}

void UnixListener::accept_one() {
  UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | settings_.flags));
  if (connection) return settings_.accepted(std::move(connection));
  // Out of descriptors: the connection waits, and so do we.
  if (errno == EMFILE || errno == ENFILE) ::usleep(100'000);
}

Result<Peer> peer_of(int connection) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
    return fail_errno(errno, "ask who connects");
  return Peer{credentials.pid, credentials.uid};
}

}  // namespace heddle::mesh
