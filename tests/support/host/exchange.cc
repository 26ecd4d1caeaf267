#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <thread>

#include "dataplane/netns/netns.h"
#include "tests/support/host/private_host.h"

namespace heddle::host {
namespace {

constexpr int kPatienceMs = 60000;

bool ready(int fd, short events) {
  pollfd waited{.fd = fd, .events = events, .revents = 0};
  return ::poll(&waited, 1, kPatienceMs) == 1;
}

// Takes one connection, reads everything, answers with the client's address.
void serve(int listener, std::size_t bytes) {
  sockaddr_in client{};
  socklen_t size = sizeof client;
  if (!ready(listener, POLLIN)) return;
  const UniqueFd connection(
      ::accept4(listener, reinterpret_cast<sockaddr*>(&client), &size, SOCK_CLOEXEC));
  std::string buffer(1 << 16, 0);
  while (bytes > 0 && ready(connection.get(), POLLIN)) {
    const ssize_t got = ::read(connection.get(), buffer.data(), buffer.size());
    if (got <= 0) return;
    bytes -= std::min(bytes, static_cast<std::size_t>(got));
  }
  const std::string seen = IpAddr::v4(ntohl(client.sin_addr.s_addr)).format();
  if (::write(connection.get(), seen.data(), seen.size()) < 0) return;
}

// Of a connection that may still be under way.
std::string call(int fd, std::size_t bytes) {
  const std::string block(1 << 16, 'x');
  while (bytes > 0 && ready(fd, POLLOUT)) {
    const ssize_t sent = ::send(fd, block.data(), std::min(bytes, block.size()), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return {};
    if (sent > 0) bytes -= static_cast<std::size_t>(sent);
  }
  std::string answer(64, 0);
  if (!ready(fd, POLLIN)) return {};
  const ssize_t got = ::read(fd, answer.data(), answer.size());
  answer.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return answer;
}

}  // namespace

std::string exchange_tcp(const TcpExchange& exchange) {
  const auto server = netns::open(exchange.server);
  const auto client = netns::open(exchange.client);
  EXPECT_TRUE(server && client);
  if (!server || !client) return {};
  const auto listener = netns::listen_tcp(server->get(), exchange.address);
  const auto socket = netns::connect_tcp(client->get(), exchange.address);
  EXPECT_TRUE(listener && socket) << exchange.address.format();
  if (!listener || !socket) return {};
  std::thread serving([&] { serve(listener->get(), exchange.bytes); });
  std::string answer = call(socket->get(), exchange.bytes);
  EXPECT_NE(answer, "") << "no answer from " << exchange.address.format();
  ::shutdown(listener->get(), SHUT_RDWR);  // wakes a server that nobody reached
  serving.join();
  return answer;
}

}  // namespace heddle::host
