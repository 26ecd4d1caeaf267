#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <thread>

#include "tests/peer/proxy/fixture.h"
#include "tests/support/proxy/http2_peer.h"

namespace heddle::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

bool run(const std::string& command) {
  return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
}

// A private network namespace in which connections of others than the proxy's user to 10.99.0.0/24
// are redirected to the outbound listener, as the connect hook does on a node. The thread (and
// those it starts) is in it from SetUp to TearDown.
class ProxySidecar : public ProxyTest {
 protected:
  void SetUp() override {
    if (::getuid() != 0) GTEST_SKIP() << "root is missing: a network namespace cannot be made";
    ProxyTest::SetUp();
    outside_.reset(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
    ASSERT_TRUE(run("ip link set lo up"));
    ASSERT_TRUE(run("ip addr add 10.99.0.1/24 dev lo"));
  }
  void TearDown() override {
    ProxyTest::TearDown();
    if (!outside_) return;
    ASSERT_EQ(::setns(outside_.get(), CLONE_NEWNET), 0);
  }

  void redirect() {
    const std::string to = std::to_string(proxy_->port("out"));
    ASSERT_TRUE(
        run("nft 'add table ip t; add chain ip t o { type nat hook output priority -100; };"
            " add rule ip t o ip daddr 10.99.0.0/24 meta skuid != 65534 tcp dport != " +
            to + " redirect to :" + to + "'"));
  }

  void start_outbound() {
    pb::Listener& listener = *snapshot_.add_listeners();
    listener.set_name("outbound");
    listener.set_kind(pb::LISTENER_OUTBOUND);
    listener.set_socket("out");
    snapshot_.set_revision(1);
    start_with_snapshot({"out"});
    redirect();
  }

  static UniqueFd dial(const SocketAddr& to) {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval patience{10, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = to.address.v4_be();
    address.sin_port = htons(to.port);
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fd.reset();
    return fd;
  }
  static std::string ask(int fd) {
    send_all(fd, "GET / HTTP/1.1\r\nHost: web\r\n\r\n");
    return receive(fd, "\r\n\r\n");
  }

  const SocketAddr vip_{IpAddr::v4(0x0a630050), 80};  // 10.99.0.80:80, where nobody is
  UniqueFd outside_;
};

TEST_F(ProxySidecar, RequestsToAServiceAreBalancedOneByOne) {
  std::atomic<int> counts[2] = {};
  Backend a(answering("a", &counts[0]));
  Backend b(answering("b", &counts[1]));
  control_->put_group(group_of("web", pb::PROTOCOL_HTTP1, {a.address(), b.address()}));
  control_->set_destination(vip_, "web");
  start_outbound();
  const UniqueFd client = dial(vip_);
  ASSERT_TRUE(client);
  for (int i = 0; i < 10; ++i) EXPECT_THAT(ask(client.get()), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(counts[0], 5);
  EXPECT_EQ(counts[1], 5);
  EXPECT_EQ(a.accepted() + b.accepted(), 2u);
  EXPECT_EQ(control_->resolves(), 1u) << "asked once";
  EXPECT_EQ(proxy_->metric("heddle_proxy_requests_total{code=\"200\",listener=\"outbound\",service="
                           "\"web\"}"),
            10);
}

TEST_F(ProxySidecar, Http2IsKnownByItsPrefaceAndBalancedByRequest) {
  std::atomic<int> counts[2] = {};
  Backend a(h2::answering_http2("a", &counts[0]));
  Backend b(h2::answering_http2("b", &counts[1]));
  control_->put_group(group_of("web", pb::PROTOCOL_UNSPECIFIED, {a.address(), b.address()}));
  control_->set_destination(vip_, "web");
  start_outbound();
  h2::Peer client(dial(vip_));
  ASSERT_TRUE(client.send(h2::preface()));
  for (std::uint32_t id = 1; id < 21; id += 2) {
    client.send(h2::headers(id, h2::get()));
    ASSERT_TRUE(client.read_end(id));
    EXPECT_EQ(client.status(id), 200);
  }
  EXPECT_EQ(counts[0], 5);
  EXPECT_EQ(counts[1], 5);
}

TEST_F(ProxySidecar, HeddledMayRestartMeanwhile) {
  Backend a(answering("a"));
  Backend b(answering("b"));
  control_->put_group(group_of("web", pb::PROTOCOL_HTTP1, {a.address()}));
  control_->set_destination(vip_, "web");
  start_outbound();
  const UniqueFd client = dial(vip_);
  EXPECT_THAT(ask(client.get()), StartsWith("HTTP/1.1 200 "));
  control_->stop();
  ASSERT_TRUE(proxy_->wait_for_metric("heddle_proxy_control_connected", 0));
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(ask(client.get()), StartsWith("HTTP/1.1 200 "));
    EXPECT_THAT(ask(dial(vip_).get()), StartsWith("HTTP/1.1 200 ")) << "a new connection";
  }
  control_->put_group(group_of("web", pb::PROTOCOL_HTTP1, {b.address()}));
  start_control();
  const auto deadline = steady_clock::now() + seconds(10);
  while (b.accepted() == 0 && steady_clock::now() < deadline) {
    EXPECT_THAT(ask(client.get()), StartsWith("HTTP/1.1 200 "));
  }
  EXPECT_EQ(b.accepted(), 1u) << "the destination in use was asked for again";
}

TEST_F(ProxySidecar, WhatIsNoServicePassesThrough) {
  start_outbound();
  // The redirect catches the port; the proxy's own connection to it is exempt.
  Backend raw([](int fd) {
    send_all(fd, "220 server first\r\n");
    char bytes[64];
    const ssize_t n = ::recv(fd, bytes, sizeof bytes, 0);
    if (n > 0) send_all(fd, {bytes, static_cast<std::size_t>(n)});
  });
  const SocketAddr there{IpAddr::v4(0x7f000001), raw.address().port};
  ASSERT_TRUE(run("nft add rule ip t o ip daddr 127.0.0.1 tcp dport " + std::to_string(there.port) +
                  " meta skuid != 65534 redirect to :" + std::to_string(proxy_->port("out"))));
  const UniqueFd client = dial(there);
  EXPECT_EQ(receive(client.get(), "\r\n"), "220 server first\r\n");
  send_all(client.get(), "quit");
  ::shutdown(client.get(), SHUT_WR);
  EXPECT_EQ(receive(client.get()), "quit");
  EXPECT_EQ(control_->resolves(), 1u);
  EXPECT_TRUE(
      proxy_->wait_for_metric("heddle_proxy_tcp_bytes_total{direction=\"sent\",listener="
                              "\"outbound\",service=\"passthrough\"}",
                              22));
}

TEST_F(ProxySidecar, DetectionTakesHttpForHttpAndKeepsServerFirstProtocolsFast) {
  Backend greeting([](int fd) {
    send_all(fd, "220 hello\r\n");
    char bytes[64];
    (void)::recv(fd, bytes, sizeof bytes, 0);
  });
  Backend web(answering("web"));
  const SocketAddr smtp{IpAddr::v4(0x0a630051), 25};
  control_->put_group(group_of("mail", pb::PROTOCOL_UNSPECIFIED, {greeting.address()}));
  control_->put_group(group_of("web", pb::PROTOCOL_UNSPECIFIED, {web.address()}));
  control_->set_destination(smtp, "mail");
  control_->set_destination(vip_, "web");
  start_outbound();
  const auto begin = steady_clock::now();
  const UniqueFd mail = dial(smtp);
  EXPECT_EQ(receive(mail.get(), "\r\n"), "220 hello\r\n");
  EXPECT_LT(steady_clock::now() - begin, milliseconds(900));
  EXPECT_THAT(ask(dial(vip_).get()), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(proxy_->metric("heddle_proxy_requests_total{code=\"200\",listener=\"outbound\",service="
                           "\"web\"}"),
            1);
}

TEST_F(ProxySidecar, WithoutHeddledAnUnknownDestinationPassesThrough) {
  Backend raw([](int fd) { send_all(fd, "direct"); });
  start_outbound();
  control_->stop();
  ASSERT_TRUE(proxy_->wait_for_metric("heddle_proxy_control_connected", 0));
  ASSERT_TRUE(run("nft add rule ip t o ip daddr 127.0.0.1 tcp dport " +
                  std::to_string(raw.address().port) +
                  " meta skuid != 65534 redirect to :" + std::to_string(proxy_->port("out"))));
  EXPECT_EQ(receive(dial(raw.address()).get()), "direct");
}

TEST_F(ProxySidecar, AConnectionThatWasNotRedirectedIsClosed) {
  start_outbound();
  EXPECT_EQ(exchange(proxy_->port("out"), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "");
  EXPECT_EQ(control_->resolves(), 0u) << "no loop";
}

TEST_F(ProxySidecar, TcpListenersBalanceConnections) {
  Backend a([](int fd) { send_all(fd, "a"); });
  Backend b([](int fd) { send_all(fd, "b"); });
  pb::Listener listener = http_listener("tcp", "web", "web");
  listener.set_kind(pb::LISTENER_TCP);
  *snapshot_.add_listeners() = listener;
  *snapshot_.add_target_groups() = group_of("web", pb::PROTOCOL_TCP, {a.address(), b.address()});
  snapshot_.set_revision(1);
  start_with_snapshot({"web"});
  std::string seen;
  for (int i = 0; i < 4; ++i) seen += receive(connect_to(proxy_->port("web")).get());
  EXPECT_EQ(std::count(seen.begin(), seen.end(), 'a'), 2);
  EXPECT_EQ(std::count(seen.begin(), seen.end(), 'b'), 2);
}

// Two namespaces and TPROXY stand for sk_lookup: the accepted socket's own address is the one that
// the client connected to.
class ProxyInbound : public ProxySidecar {
 protected:
  void SetUp() override {
    ProxySidecar::SetUp();
    if (IsSkipped()) return;
    inside_.reset(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0);  // the client's
    client_.reset(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    ASSERT_EQ(::setns(inside_.get(), CLONE_NEWNET), 0);
    // The peer end goes into the client's namespace, named by the pid of a process that holds it.
    ASSERT_TRUE(run("ip link add up0 type veth peer name up1"));
    ASSERT_EQ(::setns(client_.get(), CLONE_NEWNET), 0);
    const pid_t holder = ::fork();
    if (holder == 0) {
      ::pause();
      ::_exit(0);
    }
    ASSERT_EQ(::setns(inside_.get(), CLONE_NEWNET), 0);
    const bool moved = run("ip link set up1 netns " + std::to_string(holder));
    ::kill(holder, SIGKILL);
    ::waitpid(holder, nullptr, 0);
    ASSERT_TRUE(moved);
    ASSERT_TRUE(run("ip addr add 10.98.0.2/24 dev up0 && ip link set up0 up"));
    ASSERT_EQ(::setns(client_.get(), CLONE_NEWNET), 0);
    ASSERT_TRUE(run("ip addr add 10.98.0.1/24 dev up1 && ip link set up1 up && ip link set lo up"));
    ASSERT_EQ(::setns(inside_.get(), CLONE_NEWNET), 0);
  }

  // From the client's namespace to 10.98.0.2:port.
  UniqueFd dial_inside(std::uint16_t port) {
    EXPECT_EQ(::setns(client_.get(), CLONE_NEWNET), 0);
    UniqueFd fd = dial({IpAddr::v4(0x0a620002), port});
    EXPECT_EQ(::setns(inside_.get(), CLONE_NEWNET), 0);
    return fd;
  }

  UniqueFd inside_;
  UniqueFd client_;
};

TEST_F(ProxyInbound, ConnectionsReachTheApplicationOnLoopback) {
  Backend web(answering("app"));
  Backend mail([](int fd) { send_all(fd, "220 hi\r\n"); });
  pb::Listener& listener = *snapshot_.add_listeners();
  listener.set_name("inbound");
  listener.set_kind(pb::LISTENER_INBOUND);
  listener.set_socket("in");
  pb::InboundPort& port = *listener.add_inbound_ports();
  port.set_port(web.address().port);
  port.set_protocol(pb::PROTOCOL_HTTP1);
  port.set_service("web.app");
  pb::InboundPort& detected = *listener.add_inbound_ports();
  detected.set_port(mail.address().port);
  detected.set_service("mail.app");
  snapshot_.set_revision(1);
  const int any = 1;
  start_with_snapshot({"in"});
  ASSERT_EQ(::setsockopt(proxy_->listening_fd("in"), SOL_IP, IP_TRANSPARENT, &any, sizeof any), 0);
  const std::string to = std::to_string(proxy_->port("in"));
  ASSERT_TRUE(
      run("ip rule add fwmark 1 lookup 100 && ip route add local default dev lo table 100"));
  ASSERT_TRUE(
      run("nft 'add table ip p; add chain ip p i { type filter hook prerouting priority "
          "-150; }; add rule ip p i iifname up0 meta l4proto tcp tproxy to 127.0.0.1:" +
          to + " meta mark set 1 accept'"));
  const UniqueFd client = dial_inside(web.address().port);
  ASSERT_TRUE(client);
  EXPECT_THAT(ask(client.get()), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(proxy_->metric("heddle_proxy_requests_total{code=\"200\",listener=\"inbound\",service="
                           "\"web.app\"}"),
            1);
  EXPECT_EQ(receive(dial_inside(mail.address().port).get()), "220 hi\r\n");
}

}  // namespace
}  // namespace heddle::testing
