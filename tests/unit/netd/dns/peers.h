#pragma once
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "common/base/check.h"
#include "netd/dns/server.h"
#include "tests/support/dns/digger.h"
#include "tests/support/views.h"

// A DnsServer between resolver libraries and upstreams that do as they are told.
namespace heddle::tests {

using dns::Bytes;
using dns::ByteView;

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// A UDP and a TCP socket on one loopback port, as the workload's namespace has them.
struct Sockets {
  UniqueFd udp, tcp;
  std::uint16_t port = 0;

  static Sockets open() {
    for (;;) {
      Sockets it;
      it.udp.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      it.tcp.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_in address = loopback(0);
      socklen_t size = sizeof address;
      CHECK(::bind(it.udp.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
      CHECK(::getsockname(it.udp.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
      it.port = ntohs(address.sin_port);
      if (::bind(it.tcp.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) continue;
      CHECK(::listen(it.tcp.get(), 16) == 0);
      return it;
    }
  }
  SocketAddr address() const { return {ip("127.0.0.1"), port}; }
};

inline UniqueFd duplicate(const UniqueFd& fd) {
  return UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
}

// A workload's resolver library.
class Client final {
 public:
  Client(int type, std::uint16_t port) : fd_(::socket(AF_INET, type | SOCK_CLOEXEC, 0)) {
    const timeval patience{10, 0};
    CHECK(::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    const sockaddr_in address = loopback(port);
    CHECK(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  void send(const Bytes& bytes) {
    CHECK(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(bytes.size()));
  }
  void send_framed(const Bytes& bytes) {
    Bytes framed{static_cast<std::uint8_t>(bytes.size() >> 8),
                 static_cast<std::uint8_t>(bytes.size())};
    framed.insert(framed.end(), bytes.begin(), bytes.end());
    send(framed);
  }
  Bytes receive() {
    Bytes bytes(dns::kMaxMessage);
    const ssize_t size = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
    bytes.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return bytes;
  }
  Bytes receive_framed() {
    const Bytes length = receive_exactly(2);
    if (length.size() < 2) return {};
    return receive_exactly(static_cast<std::size_t>(length[0]) << 8 | length[1]);
  }
  bool closed_by_peer() { return receive().empty(); }
  void finish_sending() { ::shutdown(fd_.get(), SHUT_WR); }

 private:
  Bytes receive_exactly(std::size_t size) {
    Bytes bytes(size);
    const ssize_t got = ::recv(fd_.get(), bytes.data(), size, MSG_WAITALL);
    return got == static_cast<ssize_t>(size) ? bytes : Bytes();
  }
  UniqueFd fd_;
};

// A resolver of the host: answers each query with what `behave` makes of it; nothing when empty.
class Upstream final {
 public:
  enum class Transport { udp, tcp };
  using Behave = std::function<Bytes(ByteView query, Transport transport)>;

  explicit Upstream(Behave behave) : sockets_(Sockets::open()), behave_(std::move(behave)) {
    thread_ = std::thread([this] { run(); });
  }
  ~Upstream() {
    stop_ = true;
    thread_.join();
  }
  SocketAddr address() const { return sockets_.address(); }
  int asked() const { return asked_; }

 private:
  void run() {
    while (!stop_) {
      pollfd waiting[2] = {{sockets_.udp.get(), POLLIN, 0}, {sockets_.tcp.get(), POLLIN, 0}};
      if (::poll(waiting, 2, 20) <= 0) continue;
      if (waiting[0].revents != 0) serve_udp();
      if (waiting[1].revents != 0) serve_tcp();
    }
  }
  void serve_udp() {
    Bytes query(dns::kMaxMessage);
    sockaddr_in peer{};
    socklen_t peer_size = sizeof peer;
    const ssize_t size = ::recvfrom(sockets_.udp.get(), query.data(), query.size(), 0,
                                    reinterpret_cast<sockaddr*>(&peer), &peer_size);
    if (size < 0) return;
    ++asked_;
    query.resize(static_cast<std::size_t>(size));
    const Bytes reply = behave_(query, Transport::udp);
    if (reply.empty()) return;
    ::sendto(sockets_.udp.get(), reply.data(), reply.size(), 0,
             reinterpret_cast<const sockaddr*>(&peer), peer_size);
  }
  void serve_tcp() {
    const UniqueFd peer(::accept(sockets_.tcp.get(), nullptr, nullptr));
    std::uint8_t length[2];
    if (::recv(peer.get(), length, 2, MSG_WAITALL) != 2) return;
    Bytes query(static_cast<std::size_t>(length[0]) << 8 | length[1]);
    if (::recv(peer.get(), query.data(), query.size(), MSG_WAITALL) < 0) return;
    ++asked_;
    Bytes reply = behave_(query, Transport::tcp);
    const std::uint8_t head[2] = {static_cast<std::uint8_t>(reply.size() >> 8),
                                  static_cast<std::uint8_t>(reply.size())};
    reply.insert(reply.begin(), head, head + 2);
    ::send(peer.get(), reply.data(), reply.size(), MSG_NOSIGNAL);
  }

  Sockets sockets_;
  Behave behave_;
  std::atomic<bool> stop_{false};
  std::atomic<int> asked_{0};
  std::thread thread_;
};

inline Bytes says(ByteView query, const char* address) {
  return make_reply(query, address);
}

// A workload c1 (172.20.0.5) on the network blue.
class DnsServerTest : public ::testing::Test {
 protected:
  DnsServerTest() : sockets(Sockets::open()) {
    build.network("blue", "bridge", "172.20.0.0/24");
    build.workload("c1");
    build.endpoint("c1", "blue", "172.20.0.5");
    settings.upstream_attempt = std::chrono::milliseconds(500);
    settings.upstream_total = std::chrono::seconds(4);
  }
  void start() {
    server = *dns::DnsServer::start(settings);
    ASSERT_TRUE(server->add("c1", {duplicate(sockets.udp), duplicate(sockets.tcp)}, zone()));
  }
  std::shared_ptr<const dns::Zone> zone() { return dns::build_zones(build.view()).at("c1"); }
  Told ask(const Ask& question) {
    Client client(SOCK_DGRAM, sockets.port);
    client.send(make_query(question));
    return read_reply(client.receive());
  }
  Told ask_tcp(const Ask& question) {
    Client client(SOCK_STREAM, sockets.port);
    client.send_framed(make_query(question));
    return read_reply(client.receive_framed());
  }

  ViewBuilder build;
  Sockets sockets;
  dns::DnsServer::Settings settings;
  std::unique_ptr<dns::DnsServer> server;
};

}  // namespace heddle::tests
