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

namespace heddle::process {
namespace {

using holder::Command;
using holder::kMaxKept;
using holder::Reply;
using holder::Request;

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
  Request request{};
  UniqueFd fd;  // of PUT
  bool wellformed = false;
  bool closed = false;  // the client has gone, or broke the socket
};

// Takes every descriptor that came, so that none leaks; more than one is malformed.
int take_descriptors(msghdr& message, UniqueFd& first) {
  int count = 0;
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < n; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
      UniqueFd owned(fd);
      if (count++ == 0) first = std::move(owned);
    }
  }
  return count;
}

Received receive(int client) {
  Received in;
  alignas(cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
  iovec part{&in.request, sizeof in.request};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t n = ::recvmsg(client, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return in;
  in.closed = n <= 0;
  if (n <= 0) return in;
  const int descriptors = take_descriptors(message, in.fd);
  const bool put = in.request.command == Command::put;
  in.wellformed = static_cast<std::size_t>(n) == sizeof in.request &&
                  (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 &&
                  in.request.magic == holder::kMagic && descriptors == (put ? 1 : 0);
  if (!in.wellformed) in.fd.reset();
  return in;
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
  Received in = receive(client.get());
  if (in.closed) {
    client.reset();
    return;
  }
  const int status = in.wellformed ? apply(in.request, std::move(in.fd)) : EINVAL;
  if (!send_reply(client.get(), in.request, status)) client.reset();
}

int Server::apply(const Request& request, UniqueFd fd) {
  const bool named = request.command == Command::put || request.command == Command::drop;
  if (named && request.name_length > holder::kMaxName) return EINVAL;
  const std::string_view name(request.name, named ? request.name_length : 0);
  if (named && !holder::is_name(name)) return EINVAL;
  switch (request.command) {
    case Command::put:
      return table_.put(name, std::move(fd)) ? 0 : ENOSPC;
    case Command::drop:
      table_.drop(name);
      return 0;
    case Command::list:
      return request.cursor < kMaxKept ? 0 : EINVAL;
    case Command::shut:
      ended_ = true;
      return 0;
  }
  return EINVAL;
}

bool Server::send_reply(int client, const Request& request, int status) {
  Reply reply{};
  reply.magic = holder::kMagic;
  reply.sys_errno = status;
  int fds[holder::kPage];
  if (status == 0 && request.command == Command::list) {
    std::size_t place = table_.next(request.cursor);
    for (; place < kMaxKept && reply.count < holder::kPage; place = table_.next(place + 1)) {
      fds[reply.count] = table_.at(place).fd.get();
      reply.names[reply.count++] = table_.at(place).name;
    }
    reply.next = place < kMaxKept ? static_cast<std::uint32_t>(place) : 0;
  }
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fds)];
  iovec part{&reply, sizeof reply};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (reply.count > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(reply.count * sizeof(int));
    cmsghdr* c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(reply.count * sizeof(int));
    std::memcpy(CMSG_DATA(c), fds, reply.count * sizeof(int));
  }
  ssize_t n;
  do {
    n = ::sendmsg(client, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  return n == static_cast<ssize_t>(sizeof reply);
}

}  // namespace heddle::process
