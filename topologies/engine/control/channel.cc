#include "topologies/engine/control/channel.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace heddle::control {
namespace {

using namespace std::chrono_literals;

constexpr auto kMargin = 60s;       // what kill, start and the like may take beyond their timeout
constexpr auto kRequestTime = 10s;  // for a client to send its request

Result<> wait_for(int fd, short events, Deadline deadline) {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return fail(Errc::timeout, "the lab's daemon took too long");
    pollfd polled{fd, events, 0};
    const int ready =
        ::poll(&polled, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000)));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return fail_errno(errno, "poll");
  }
}

Result<> read_exactly(int fd, char* out, std::size_t size, Deadline deadline) {
  while (size > 0) {
    TRY_DO(wait_for(fd, POLLIN, deadline));
    const ssize_t got = ::recv(fd, out, size, MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return fail_errno(errno, "read");
    if (got == 0) return fail(Errc::unavailable, "the other side hung up");
    out += got;
    size -= static_cast<std::size_t>(got);
  }
  return {};
}

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(Errc::invalid, "socket path is longer than " +
                                   std::to_string(sizeof address.sun_path - 1) + " bytes: " + path);
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Result<UniqueFd> connect_to(const std::string& path) {
  TRY(const sockaddr_un address, address_of(path));
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, "open a socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    if (errno == ENOENT || errno == ECONNREFUSED)
      return fail(Errc::unavailable, "nobody answers on " + path);
    return fail_errno(errno, "connect to " + path);
  }
  return fd;
}

bool hung_up(int fd) {
  pollfd polled{fd, POLLRDHUP, 0};
  return ::poll(&polled, 1, 0) > 0 && (polled.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

Reply failure(Error error) {
  return {.error = std::move(error), .result = {}, .status = {}, .entry = {}, .did = {}};
}

}  // namespace

Result<std::string> read_frame(int fd, std::size_t max_bytes, Deadline deadline) {
  std::uint32_t length_be = 0;
  TRY_DO(read_exactly(fd, reinterpret_cast<char*>(&length_be), sizeof length_be, deadline));
  const std::uint32_t length = ntohl(length_be);
  if (length > max_bytes)
    return fail(Errc::invalid, "frame of " + std::to_string(length) + " bytes; at most " +
                                   std::to_string(max_bytes) + " are taken");
  std::string text(length, '\0');
  TRY_DO(read_exactly(fd, text.data(), length, deadline));
  return text;
}

Result<> write_frame(int fd, std::string_view text, Deadline deadline) {
  const std::uint32_t length_be = htonl(static_cast<std::uint32_t>(text.size()));
  std::string frame(reinterpret_cast<const char*>(&length_be), sizeof length_be);
  frame += text;
  std::size_t sent = 0;
  while (sent < frame.size()) {
    TRY_DO(wait_for(fd, POLLOUT, deadline));
    const ssize_t wrote =
        ::send(fd, frame.data() + sent, frame.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (wrote < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (wrote < 0) return fail_errno(errno, "write");
    sent += static_cast<std::size_t>(wrote);
  }
  return {};
}

Result<Reply> Client::ask(const Request& request) const {
  TRY(const UniqueFd fd, connect_to(socket_));
  const Deadline deadline = std::chrono::steady_clock::now() + request.timeout + kMargin;
  TRY_DO(write_frame(fd.get(), encode(request), deadline));
  TRY(const std::string text, read_frame(fd.get(), kMaxReply, deadline));
  TRY(Reply reply, decode_reply(text).during("the lab's daemon answered"));
  if (reply.error) return std::unexpected(*std::move(reply.error));
  return reply;
}

bool Client::answers() const {
  return connect_to(socket_).has_value();
}

Server::Server(UniqueFd listener, Handle handle)
    : listener_(std::move(listener)), handle_(std::move(handle)) {}

Result<std::unique_ptr<Server>> Server::listen(const std::string& socket, Handle handle) {
  TRY(const sockaddr_un address, address_of(socket));
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, "open a socket");
  const mode_t old = ::umask(0177);
  const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int bind_errno = errno;
  ::umask(old);
  if (bound < 0) return fail_errno(bind_errno, "bind " + socket);
  if (::listen(fd.get(), kMaxClients) < 0) return fail_errno(errno, "listen on " + socket);
  return std::unique_ptr<Server>(new Server(std::move(fd), std::move(handle)));
}

void Server::run() {
  for (;;) {
    UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection) {
      if (errno == EBADF || errno == EINVAL) return;
      std::this_thread::sleep_for(10ms);  // out of descriptors or memory for now
      continue;
    }
    if (clients_.fetch_add(1) >= kMaxClients) {
      (void)write_frame(
          connection.get(),
          encode(failure({Errc::exhausted, "the lab's daemon serves 64 clients; try again"})),
          after(100ms));
      --clients_;
      continue;
    }
    try {
      std::thread([this, fd = std::move(connection)]() mutable {
        serve(std::move(fd));
        --clients_;
      }).detach();
    } catch (const std::system_error&) {
      --clients_;  // no thread: the client sees a closed connection and may try again
    }
  }
}

void Server::serve(UniqueFd connection) {
  const int fd = connection.get();
  auto text = read_frame(fd, kMaxRequest, after(kRequestTime));
  Reply reply;
  if (!text) {
    reply = failure(std::move(text).error());
  } else if (auto request = decode_request(*text); !request) {
    reply = failure(std::move(request).error());
  } else {
    reply = handle_(*request, [fd] { return hung_up(fd); });
  }
  (void)write_frame(fd, encode(reply), after(kRequestTime));  // the client may have gone
}

}  // namespace heddle::control
