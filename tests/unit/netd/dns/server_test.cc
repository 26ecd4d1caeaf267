#include "netd/dns/server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>

#include "tests/support/views.h"
#include "tests/unit/netd/dns/digger.h"

namespace heddle::dns {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using tests::make_query;
using tests::read_reply;
using tests::ViewBuilder;

sockaddr_in loopback(std::uint16_t port) {
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
  SocketAddr address() const { return {tests::ip("127.0.0.1"), port}; }
};

UniqueFd duplicate(const UniqueFd& fd) {
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
    Bytes bytes(kMaxMessage);
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
    Bytes query(kMaxMessage);
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

Bytes says(ByteView query, const char* address) {
  return tests::make_reply(query, address);
}

class DnsServerTest : public ::testing::Test {
 protected:
  DnsServerTest() : sockets(Sockets::open()) {
    build.network("blue", "bridge", "172.20.0.0/24");
    build.workload("c1");
    build.endpoint("c1", "blue", "172.20.0.5");
    settings.upstream_attempt = 200ms;
    settings.upstream_total = 2s;
  }
  void start() {
    server = *DnsServer::start(settings);
    ASSERT_TRUE(server->add("c1", duplicate(sockets.udp), duplicate(sockets.tcp), zone()));
  }
  std::shared_ptr<const Zone> zone() { return build_zones(build.view()).at("c1"); }
  tests::Told ask(const tests::Ask& question) {
    Client client(SOCK_DGRAM, sockets.port);
    client.send(make_query(question));
    return read_reply(client.receive());
  }
  tests::Told ask_tcp(const tests::Ask& question) {
    Client client(SOCK_STREAM, sockets.port);
    client.send_framed(make_query(question));
    return read_reply(client.receive_framed());
  }

  ViewBuilder build;
  Sockets sockets;
  DnsServer::Settings settings;
  std::unique_ptr<DnsServer> server;
};

TEST_F(DnsServerTest, AnswersOverUdpAndTcp) {
  start();
  EXPECT_THAT(ask({"c1"}).answers, ElementsAre("A 172.20.0.5"));
  EXPECT_THAT(ask_tcp({"c1.blue"}).answers, ElementsAre("A 172.20.0.5"));
  EXPECT_EQ(server->stats().queries, 2u);
  EXPECT_EQ(server->stats().answered, 2u);
}

TEST_F(DnsServerTest, AnUpdateHasTakenEffectWhenItReturns) {
  start();
  build.workload("c2");
  build.endpoint("c2", "blue", "172.20.0.6");
  EXPECT_EQ(ask({"c2.blue.heddle.internal"}).rcode, 3);
  server->update("c1", zone());
  EXPECT_THAT(ask({"c2"}).answers, ElementsAre("A 172.20.0.6"));
}

TEST_F(DnsServerTest, WithoutUpstreamsOtherNamesFailAtOnce) {
  start();
  EXPECT_EQ(ask({"www.example.com"}).rcode, 2);
  EXPECT_EQ(ask_tcp({"www.example.com"}).rcode, 2);
  EXPECT_EQ(server->stats().failed, 2u);
}

TEST_F(DnsServerTest, OtherNamesGoToTheUpstreamUnderAnotherId) {
  std::atomic<int> seen{-1};
  Upstream upstream([&](ByteView query, auto) {
    seen = id_of(query);
    return says(query, "192.0.2.80");
  });
  settings.upstreams = {upstream.address()};
  start();
  int same = 0;
  for (std::uint16_t id = 1; id <= 8; ++id) {
    EXPECT_THAT(ask({"www.example.com", "A", id}).answers, ElementsAre("A 192.0.2.80"));
    same += seen == id;
  }
  EXPECT_LE(same, 1) << "ids are random";
}

TEST_F(DnsServerTest, ASilentOrFailingUpstreamIsPassedOver) {
  Upstream silent([](ByteView, auto) { return Bytes(); });
  Upstream failing([](ByteView query, auto) { return encode_failure(query, Rcode::refused); });
  Upstream good([](ByteView query, auto) { return says(query, "192.0.2.80"); });
  Sockets closed = Sockets::open();
  closed.udp.reset();
  settings.upstreams = {closed.address(), silent.address(), failing.address(), good.address()};
  start();
  EXPECT_THAT(ask({"www.example.com"}).answers, ElementsAre("A 192.0.2.80"));
  EXPECT_THAT(ask({"www.example.com"}).answers, ElementsAre("A 192.0.2.80"));
  EXPECT_EQ(silent.asked(), 1) << "the one that answered is asked first from then on";
}

TEST_F(DnsServerTest, WhenAllRefuseTheRefusalIsPassedOn) {
  Upstream failing([](ByteView query, auto) { return encode_failure(query, Rcode::refused); });
  settings.upstreams = {failing.address()};
  start();
  EXPECT_EQ(ask({"www.example.com"}).rcode, 5);
}

TEST_F(DnsServerTest, AReplyToAnotherQuestionIsNotBelieved) {
  Upstream liar([](ByteView query, auto) {
    Bytes other = make_query({"www.example.org", "A", id_of(query)});
    return says(other, "198.51.100.66");
  });
  Upstream good([](ByteView query, auto) { return says(query, "192.0.2.80"); });
  settings.upstreams = {liar.address(), good.address()};
  start();
  EXPECT_THAT(ask({"www.example.com"}).answers, ElementsAre("A 192.0.2.80"));
}

TEST_F(DnsServerTest, ATruncatedReplyIsPassedOnAndComesWholeOverTcp) {
  Upstream upstream([](ByteView query, Upstream::Transport transport) {
    if (transport == Upstream::Transport::tcp) return tests::make_reply(query, "192.0.2.80", 100);
    Bytes reply = says(query, "192.0.2.80");
    reply[2] |= 0x02;
    return reply;
  });
  settings.upstreams = {upstream.address()};
  start();
  EXPECT_TRUE(ask({"big.example.com"}).truncated);
  const auto whole = ask_tcp({"big.example.com"});
  EXPECT_FALSE(whole.truncated);
  EXPECT_EQ(whole.answers.size(), 100u);
}

TEST_F(DnsServerTest, UpstreamsCanBeReplaced) {
  Upstream good([](ByteView query, auto) { return says(query, "192.0.2.80"); });
  start();
  EXPECT_EQ(ask({"www.example.com"}).rcode, 2);
  server->set_upstreams({good.address()});
  EXPECT_EQ(ask({"www.example.com"}).rcode, 0);
}

TEST_F(DnsServerTest, PipelinedQueriesAreAllAnsweredAndSlowOnesDoNotHoldTheRest) {
  Upstream silent([](ByteView, auto) { return Bytes(); });
  settings.upstreams = {silent.address()};
  start();
  Client client(SOCK_STREAM, sockets.port);
  client.send_framed(make_query({"slow.example.com", "A", 1000}));
  for (std::uint16_t id = 1; id <= 100; ++id) client.send_framed(make_query({"c1", "A", id}));
  client.finish_sending();
  std::vector<bool> seen(1001);
  for (int i = 0; i < 101; ++i) {
    const Bytes reply = client.receive_framed();
    ASSERT_FALSE(reply.empty()) << i;
    EXPECT_TRUE(i > 0 || id_of(reply) != 1000);
    seen[id_of(reply)] = true;
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end(), true), 101);
  EXPECT_TRUE(client.closed_by_peer()) << "all was said";
}

TEST_F(DnsServerTest, AConnectionThatSendsNoQueryIsClosed) {
  start();
  Client client(SOCK_STREAM, sockets.port);
  client.send({0, 3, 1, 2, 3});
  EXPECT_TRUE(client.closed_by_peer());
  Client response(SOCK_STREAM, sockets.port);
  Bytes bytes = make_query({"c1"});
  bytes[2] |= 0x80;
  response.send_framed(bytes);
  EXPECT_TRUE(response.closed_by_peer());
}

TEST_F(DnsServerTest, AnIdleOrStallingConnectionIsClosed) {
  settings.idle_timeout = 100ms;
  start();
  Client idle(SOCK_STREAM, sockets.port);
  Client stalling(SOCK_STREAM, sockets.port);
  stalling.send({0, 40, 1});
  EXPECT_TRUE(idle.closed_by_peer());
  EXPECT_TRUE(stalling.closed_by_peer());
}

TEST_F(DnsServerTest, ConnectionsAreBounded) {
  settings.max_connections_per_workload = 2;
  start();
  Client one(SOCK_STREAM, sockets.port);
  Client two(SOCK_STREAM, sockets.port);
  for (Client* client : {&one, &two}) {
    client->send_framed(make_query({"c1"}));
    EXPECT_EQ(read_reply(client->receive_framed()).rcode, 0);
  }
  Client three(SOCK_STREAM, sockets.port);
  EXPECT_TRUE(three.closed_by_peer());
  one.finish_sending();
  EXPECT_TRUE(one.closed_by_peer());
  int rcode = -1;
  for (int tries = 0; tries < 1000 && rcode != 0; ++tries) rcode = ask_tcp({"c1"}).rcode;
  EXPECT_EQ(rcode, 0) << "room again";
}

TEST_F(DnsServerTest, ForwardedQueriesAreBounded) {
  Upstream silent([](ByteView, auto) { return Bytes(); });
  settings.upstreams = {silent.address()};
  settings.max_forwarded_per_workload = 4;
  settings.upstream_attempt = 5s;
  settings.upstream_total = 5s;
  start();
  Client client(SOCK_DGRAM, sockets.port);
  for (std::uint16_t id = 0; id < 5; ++id) client.send(make_query({"www.example.com", "A", id}));
  EXPECT_EQ(read_reply(client.receive()).rcode, 2) << "the fifth, at once";
  EXPECT_THAT(ask({"c1"}).answers, ElementsAre("A 172.20.0.5")) << "our own names are not held up";
}

TEST_F(DnsServerTest, QueriesThatWaitWhileNobodyServesAreAnsweredByTheNext) {
  start();
  EXPECT_EQ(ask({"c1"}).rcode, 0);
  server.reset();
  Client udp(SOCK_DGRAM, sockets.port);
  udp.send(make_query({"c1"}));
  Client tcp(SOCK_STREAM, sockets.port);
  tcp.send_framed(make_query({"c1"}));
  start();
  EXPECT_THAT(read_reply(udp.receive()).answers, ElementsAre("A 172.20.0.5"));
  EXPECT_THAT(read_reply(tcp.receive_framed()).answers, ElementsAre("A 172.20.0.5"));
}

TEST_F(DnsServerTest, RemovingAndAddingTheSameSocketsServesOn) {
  start();
  for (int i = 0; i < 20; ++i) {
    server->remove("c1");
    ASSERT_TRUE(server->add("c1", duplicate(sockets.udp), duplicate(sockets.tcp), zone()));
    ASSERT_TRUE(server->add("c1", duplicate(sockets.udp), duplicate(sockets.tcp), zone()));
    ASSERT_EQ(ask({"c1"}).rcode, 0);
    ASSERT_EQ(ask_tcp({"c1"}).rcode, 0);
  }
  server->remove("nobody");
  server->update("nobody", nullptr);
}

TEST_F(DnsServerTest, StopsWithWorkUnderWay) {
  Upstream silent([](ByteView, auto) { return Bytes(); });
  settings.upstreams = {silent.address()};
  settings.upstream_attempt = 60s;
  settings.upstream_total = 60s;
  start();
  Client udp(SOCK_DGRAM, sockets.port);
  udp.send(make_query({"www.example.com"}));
  Client tcp(SOCK_STREAM, sockets.port);
  tcp.send_framed(make_query({"www.example.com"}));
  while (silent.asked() < 2) std::this_thread::yield();
  const auto begin = std::chrono::steady_clock::now();
  server.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

TEST_F(DnsServerTest, RefusesOtherDescriptors) {
  start();
  Sockets other = Sockets::open();
  EXPECT_EQ(server->add("c2", duplicate(other.tcp), duplicate(other.udp), nullptr).error().code(),
            Errc::invalid);
  EXPECT_FALSE(server->add("c2", UniqueFd(), UniqueFd(), nullptr));
}

TEST_F(DnsServerTest, GarbageIsAnsweredOrDroppedAndDoesNoHarm) {
  start();
  Client client(SOCK_DGRAM, sockets.port);
  client.send({1, 2, 3});
  client.send(Bytes(kMaxQuery + 100, 0));
  EXPECT_EQ(read_reply(client.receive()).rcode, 1);
  EXPECT_EQ(ask({"c1"}).rcode, 0);
}

}  // namespace
}  // namespace heddle::dns
