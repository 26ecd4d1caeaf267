#include "netd/holder/process/server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "netd/holder/process/answer.h"

namespace heddle::process {
namespace {

// The lock is the file that the path names now, not one that an ending holder has just removed.
Result<UniqueFd> take_lock(const std::string& path) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) return fail_errno(errno, "open " + path);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) < 0) {
      if (errno == EWOULDBLOCK) return fail(Errc::in_use, path + " is held by a running holder");
      return fail_errno(errno, "lock " + path);
    }
    struct stat ours{};
    struct stat named{};
    if (::fstat(fd.get(), &ours) == 0 && ::stat(path.c_str(), &named) == 0 &&
        ours.st_ino == named.st_ino && ours.st_dev == named.st_dev) {
      return fd;
    }
  }
  return fail(Errc::unavailable, path + " is replaced again and again");
}

bool may_talk(int client) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) return false;
  return peer.uid == 0 || peer.uid == ::geteuid();
}

struct Received {
  enum class What { datagram, nothing, end };
  What what = What::nothing;
  char bytes[sizeof(holder::Request) + 1];  // a longer one shows as too long
  std::size_t size = 0;
  std::vector<UniqueFd> fds;
};

// Takes every descriptor that came, so that none leaks.
void take_descriptors(msghdr& message, std::vector<UniqueFd>& fds) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < n; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
      fds.emplace_back(fd);
    }
  }
}

// More descriptors than one are malformed anyhow: the kernel closes those beyond the room for two.
void receive(int client, Received& in) {
  alignas(cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))];
  iovec part{in.bytes, sizeof in.bytes};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t n = ::recvmsg(client, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  in.what = n <= 0 ? Received::What::end : Received::What::datagram;
  if (n <= 0) return;
  in.size = static_cast<std::size_t>(n);
  take_descriptors(message, in.fds);
}

// False when the client does not take it.
bool send_reply(int client, Answer& answer) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof answer.fds)];
  iovec part{&answer.reply, sizeof answer.reply};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (answer.reply.count > 0) {
    const std::size_t size = answer.reply.count * sizeof(int);
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(size);
    cmsghdr* c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(c), answer.fds, size);
  }
  ssize_t n;
  do {
    n = ::sendmsg(client, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  return n == static_cast<ssize_t>(sizeof answer.reply);
}

}  // namespace

Result<> Server::open(const std::string& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.empty() || socket_path.size() >= sizeof address.sun_path) {
    return fail(Errc::invalid, "socket path '" + socket_path + "' must have 1 to 107 bytes; " +
                                   "choose a shorter run directory");
  }
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  TRY(lock_, take_lock(socket_path + ".lock"));
  if (::unlink(socket_path.c_str()) < 0 && errno != ENOENT)
    return fail_errno(errno, "remove the old " + socket_path);
  listener_.reset(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener_) return fail_errno(errno, "open a unix socket");
  // The mode is right from the first moment: bind applies the umask.
  const mode_t before = ::umask(0177);
  const int bound =
      ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int bind_errno = errno;
  ::umask(before);
  if (bound < 0) return fail_errno(bind_errno, "bind " + socket_path);
  path_ = socket_path;
  return {};
}

Result<> Server::listen() {
  if (::listen(listener_.get(), kMaxClients) < 0) return fail_errno(errno, "listen");
  return {};
}

void Server::run(int stop_fd) {
  while (!ended_) {
    pollfd polled[kMaxClients + 2];
    polled[0] = {listener_.get(), POLLIN, 0};
    polled[1] = {stop_fd, POLLIN, 0};
    for (int i = 0; i < kMaxClients; ++i) polled[i + 2] = {clients_[i].get(), POLLIN, 0};
    if (::poll(polled, kMaxClients + 2, -1) < 0) {
      if (errno == EINTR) continue;
      return;
    }
    if (polled[1].revents != 0) return;
    for (int i = 0; i < kMaxClients && !ended_; ++i) {
      if (polled[i + 2].revents != 0) serve(clients_[i]);
    }
    if (polled[0].revents != 0) accept_client();
  }
}

void Server::close() {
  listener_.reset();
  if (path_.empty()) return;
  ::unlink(path_.c_str());
  ::unlink((path_ + ".lock").c_str());
  lock_.reset();
}

void Server::accept_client() {
  UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!client || !may_talk(client.get())) return;
  for (auto& place : clients_) {
    if (place) continue;
    place = std::move(client);
    return;
  }
  // Full: closed here, so the newcomer sees the end at once instead of waiting.
}

void Server::serve(UniqueFd& client) {
  Received in;
  receive(client.get(), in);
  if (in.what == Received::What::nothing) return;
  if (in.what == Received::What::end) {
    client.reset();
    return;
  }
  Answer made = answer(table_, {in.bytes, in.size}, std::move(in.fds));
  ended_ = ended_ || made.end;
  if (!send_reply(client.get(), made)) client.reset();
}

}  // namespace heddle::process
