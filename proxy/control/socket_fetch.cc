#include "proxy/control/socket_fetch.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <cerrno>
#include <cstring>
#include <memory>

namespace heddle::control {
namespace {

using Descriptor = asio::posix::stream_descriptor;

constexpr std::chrono::milliseconds kFullPause{20};
constexpr std::size_t kMaxAnswer = 512;

// None while heddled's queue is full.
Result<UniqueFd> connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(Errc::invalid, "socket path " + path + " is longer than 107 bytes");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno(errno, "open a unix socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return fd;
  }
  if (errno == EAGAIN) return UniqueFd();
  return fail_errno(errno, "connect to " + path);
}

Result<> check_listens(int fd) {
  int listens = 0;
  socklen_t size = sizeof listens;
  if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || !listens) {
    return fail(Errc::invalid, "heddled sent something else than a listening socket");
  }
  return {};
}

Result<UniqueFd> take_answer(int connection) {
  char text[kMaxAnswer];
  iovec part{text, sizeof text};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t n = ::recvmsg(connection, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (n < 0) return fail_errno(errno, "read heddled's answer");
  UniqueFd received;
  const cmsghdr* rights = CMSG_FIRSTHDR(&message);
  if (rights && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS) {
    int number = -1;
    std::memcpy(&number, CMSG_DATA(rights), sizeof number);
    received.reset(number);
  }
  const std::string_view answer(text, static_cast<std::size_t>(n));
  if (n == 0) return fail(Errc::unavailable, "heddled closed the connection");
  if (answer != "ok") return fail(Errc::not_found, "heddled says: " + std::string(answer));
  TRY_DO(check_listens(received.get()));
  return received;
}

}  // namespace

Task<Result<UniqueFd>> fetch_socket(SocketQuestion question, Deadline deadline) {
  const auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor);
  UniqueFd fd;
  while (!fd) {
    auto connected = connect_to(question.path);
    if (!connected) co_return std::unexpected(std::move(connected).error());
    fd = *std::move(connected);
    if (fd) break;
    if (std::chrono::steady_clock::now() >= deadline) {
      co_return fail(Errc::timeout, "heddled does not take connections at " + question.path);
    }
    timer.expires_after(kFullPause);
    const auto [waited] = co_await timer.async_wait(nothrow);
    (void)waited;
  }
  const std::string text = question.proxy_id + "\n" + question.name;
  if (::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL) < 0) {
    co_return fail_errno(errno, "ask heddled");
  }
  // Shared with the timer's handler, which may come after our end.
  const auto connection = std::make_shared<Descriptor>(executor, fd.release());
  timer.expires_at(deadline);
  timer.async_wait([connection](const boost::system::error_code& ec) {
    boost::system::error_code ignored;
    if (!ec) connection->cancel(ignored);
  });
  while (true) {
    const auto [ec] = co_await connection->async_wait(Descriptor::wait_read, nothrow);
    if (ec) co_return fail(Errc::timeout, "heddled does not answer");
    auto answer = take_answer(connection->native_handle());
    // The reactor wakes waiters when anything happened, also when there is nothing to read yet.
    if (!answer && answer.error().sys_errno() == EAGAIN) continue;
    timer.cancel();
    co_return answer;
  }
}

}  // namespace heddle::control
