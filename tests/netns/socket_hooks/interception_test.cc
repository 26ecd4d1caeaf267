// Interception by the socket hooks and sk_lookup. This process is the sidecar (in the proxy's
// cgroup) or the application, by the cgroup it is in when it makes a call.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>

#include "dataplane/netns/netns.h"
#include "tests/netns/socket_hooks/socket_hooks_fixture.h"

namespace heddle::testing {
namespace {

const SocketAddr kFar = at("198.51.100.9:443");  // answered by nobody but a listener on this host

class Interception : public SocketHooks {
 protected:
  void SetUp() override {
    SocketHooks::SetUp();
    auto netns = netns::open("/proc/thread-self/ns/net");
    ASSERT_TRUE(netns.has_value()) << netns.error().text();
    netns_ = std::move(*netns);
    auto outbound = tcp_listen(at("127.0.0.1:15001"));
    auto inbound = tcp_listen(at("127.0.0.1:15006"));
    ASSERT_TRUE(outbound.has_value() && inbound.has_value());
    outbound_ = std::move(*outbound);
    inbound_ = std::move(*inbound);
    give_up_after(outbound_.get(), std::chrono::milliseconds(300));
    give_up_after(inbound_.get(), std::chrono::milliseconds(300));
    put_member();
    become("app");
  }
  void TearDown() override {
    become("app");
    SocketHooks::TearDown();
  }
  void become(const std::string& who) {
    ASSERT_TRUE(kernel_->join(who == "app" ? app_cgroup_ : proxy_cgroup_).has_value());
  }
  bpf::Programs::Intercept wanted(std::set<std::uint16_t> inbound = {}) {
    return {.cookie = cookie_,
            .outbound_port = 15001,
            .inbound_port = 15006,
            .inbound = std::move(inbound),
            .proxy_cgroup_id = cgroup_id(proxy_cgroup_)};
  }
  void intercept(const bpf::Programs::Intercept& intercept) {
    const auto put = programs_->put_intercept(intercept, netns_.get(), inbound_.get());
    ASSERT_TRUE(put.has_value()) << put.error().text();
  }
  UniqueFd netns_;
  UniqueFd outbound_;
  UniqueFd inbound_;
};

TEST_F(Interception, BringsOutboundToTheSidecarWhichLearnsTheDestination) {
  intercept(wanted());
  for (const Family family : {Family::v4, Family::mapped}) {
    auto client = tcp_connect(kFar, family);
    ASSERT_TRUE(client.has_value()) << client.error().text();
    EXPECT_EQ(peer_of(client->get()).value(), kFar) << "the application sees whom it called";
    auto accepted = tcp_accept(outbound_.get());
    ASSERT_TRUE(accepted.has_value()) << accepted.error().text();
    EXPECT_EQ(original_destination(accepted->get()).value(), kFar);
    EXPECT_EQ(original_destination(accepted->get(), Family::mapped).value(), kFar);
  }
}

TEST_F(Interception, TellsApartConnectionsToDifferentDestinations) {
  intercept(wanted());
  std::vector<UniqueFd> clients;
  for (std::uint16_t port = 1000; port < 1050; ++port) {
    auto client = tcp_connect({kFar.address, port});
    ASSERT_TRUE(client.has_value());
    auto accepted = tcp_accept(outbound_.get());
    ASSERT_TRUE(accepted.has_value());
    EXPECT_EQ(original_destination(accepted->get()).value().port, port);
    clients.push_back(std::move(*client));
  }
}

TEST_F(Interception, ExemptsTheSidecarAndLoopback) {
  auto server = tcp_listen(kFar);
  auto local = tcp_listen(at("127.0.0.1:9999"));
  ASSERT_TRUE(server.has_value()) << server.error().text();
  intercept(wanted());
  EXPECT_TRUE(tcp_connect(at("127.0.0.1:9999")).has_value());
  EXPECT_TRUE(tcp_accept(local->get()).has_value()) << "loopback";
  become("proxy");
  ASSERT_TRUE(tcp_connect(kFar).has_value());
  EXPECT_TRUE(tcp_accept(server->get()).has_value()) << "the sidecar's own calls";
  auto below = kernel_->make_cgroup("proxy/worker");
  ASSERT_TRUE(below.has_value());
  ASSERT_TRUE(kernel_->join(*below).has_value());
  ASSERT_TRUE(tcp_connect(kFar).has_value());
  EXPECT_TRUE(tcp_accept(server->get()).has_value()) << "and those of cgroups below it";
  EXPECT_FALSE(tcp_accept(outbound_.get()).has_value());
}

TEST_F(Interception, LeavesUdpAndOtherNamespacesAlone) {
  bpf::Programs::Intercept other = wanted();
  other.cookie = cookie_ + 12345;
  intercept(other);
  auto server = tcp_listen(kFar);
  auto udp = udp_bind(kFar);
  EXPECT_TRUE(tcp_connect(kFar).has_value());
  EXPECT_TRUE(tcp_accept(server->get()).has_value());
  intercept(wanted());
  auto socket = udp_open();
  ASSERT_TRUE(send_to(socket->get(), "x", kFar).has_value());
  EXPECT_TRUE(receive(udp->get()).has_value());
}

TEST_F(Interception, EndsWhenRemoved) {
  intercept(wanted({8080}));
  ASSERT_TRUE(programs_->remove_intercept(cookie_).has_value());
  EXPECT_TRUE(programs_->intercepts().value().empty());
  auto server = tcp_listen(kFar);
  auto application = tcp_listen(at("0.0.0.0:8080"));
  EXPECT_TRUE(tcp_connect(kFar).has_value());
  EXPECT_TRUE(tcp_accept(server->get()).has_value());
  EXPECT_TRUE(tcp_connect(at("10.40.0.10:8080")).has_value());
  EXPECT_TRUE(tcp_accept(application->get()).has_value());
  EXPECT_TRUE(programs_->remove_intercept(cookie_).has_value()) << "absence is success";
}

TEST_F(Interception, WithoutASidecarOutboundIsRefused) {
  intercept(wanted());
  outbound_.reset();
  const auto client = tcp_connect(kFar);
  ASSERT_FALSE(client.has_value());
  EXPECT_EQ(client.error().sys_errno(), ECONNREFUSED);
}

TEST_F(Interception, OtherSocketsHaveNoOriginalDestination) {
  intercept(wanted());
  become("proxy");
  auto client = tcp_connect(at("127.0.0.1:15001"));
  auto accepted = tcp_accept(outbound_.get());
  ASSERT_TRUE(client.has_value() && accepted.has_value());
  EXPECT_FALSE(original_destination(accepted->get()).has_value());
}

TEST_F(Interception, OriginalDestinationGoesWithTheConnection) {
  intercept(wanted());
  std::uint16_t port = 0;
  {
    auto client = tcp_connect(kFar);
    ASSERT_TRUE(client.has_value());
    port = own_end_of(client->get()).value().port;
    auto accepted = tcp_accept(outbound_.get());
    const linger abort{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(client->get(), SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
  }
  // The same port again, by a connection that was not intercepted.
  become("proxy");
  auto socket = tcp_connect_from({*IpAddr::parse("127.0.0.1"), port}, at("127.0.0.1:15001"));
  ASSERT_TRUE(socket.has_value()) << socket.error().text();
  auto accepted = tcp_accept(outbound_.get());
  ASSERT_TRUE(accepted.has_value());
  EXPECT_FALSE(original_destination(accepted->get()).has_value());
}

// The application's getsockopt() calls are not changed, whatever they ask for.
TEST_F(Interception, OtherSocketOptionsStayAsTheyAre) {
  auto socket = udp_open();
  for (const socklen_t size : {socklen_t{4}, socklen_t{4096}, socklen_t{70000}}) {
    std::string buffer(size, 'x');
    socklen_t bytes = size;
    ASSERT_EQ(::getsockopt(socket->get(), SOL_SOCKET, SO_TYPE, buffer.data(), &bytes), 0) << size;
    EXPECT_EQ(bytes, sizeof(int));
    EXPECT_EQ(buffer[0], SOCK_DGRAM);
  }
}

TEST_F(Interception, BringsInboundToTheSidecar) {
  auto application = tcp_listen(at("0.0.0.0:8080"));
  auto other = tcp_listen(at("0.0.0.0:8081"));
  give_up_after(application->get(), std::chrono::milliseconds(100));
  intercept(wanted({8080, 9090}));
  // Through an address that is not loopback's: 10.40.0.x stand for a remote caller here.
  become("proxy");
  auto client = tcp_connect_from(at("10.40.0.11:0"), at("10.40.0.10:8080"));
  ASSERT_TRUE(client.has_value()) << client.error().text();
  auto accepted = tcp_accept(inbound_.get());
  ASSERT_TRUE(accepted.has_value()) << accepted.error().text();
  EXPECT_EQ(own_end_of(accepted->get()).value(), at("10.40.0.10:8080"));
  EXPECT_FALSE(tcp_accept(application->get()).has_value());

  EXPECT_TRUE(tcp_connect_from(at("10.40.0.11:0"), at("10.40.0.10:9090")).has_value())
      << "also where nothing listens";
  EXPECT_TRUE(tcp_accept(inbound_.get()).has_value());

  EXPECT_TRUE(tcp_connect(at("127.0.0.1:8080")).has_value());
  EXPECT_TRUE(tcp_accept(application->get()).has_value()) << "loopback is exempt";
  EXPECT_TRUE(tcp_connect_from(at("10.40.0.11:0"), at("10.40.0.10:8081")).has_value());
  EXPECT_TRUE(tcp_accept(other->get()).has_value()) << "other ports are not taken";
}

TEST_F(Interception, WithoutASidecarInboundIsRefused) {
  auto application = tcp_listen(at("0.0.0.0:8080"));
  intercept(wanted({8080}));
  EXPECT_EQ(programs_->intercepts().value().at(0), wanted({8080}));
  inbound_.reset();
  become("proxy");
  const auto client = tcp_connect_from(at("10.40.0.11:0"), at("10.40.0.10:8080"));
  ASSERT_FALSE(client.has_value());
  EXPECT_EQ(client.error().sys_errno(), ECONNREFUSED);
  EXPECT_EQ(drops_of(*programs_, "no_sidecar"), 1u);
  EXPECT_NE(programs_->intercepts().value().at(0), wanted({8080})) << "the observation tells";
  auto again = tcp_listen(at("127.0.0.1:15006"));
  ASSERT_TRUE(again.has_value());
  inbound_ = std::move(*again);
  intercept(wanted({8080}));
  EXPECT_EQ(programs_->intercepts().value().at(0), wanted({8080}));
  EXPECT_TRUE(tcp_connect_from(at("10.40.0.11:0"), at("10.40.0.10:8080")).has_value());
}

TEST_F(Interception, PortsCanChange) {
  auto application = tcp_listen(at("0.0.0.0:8080"));
  intercept(wanted({8080, 8081}));
  intercept(wanted({8081}));
  EXPECT_EQ(programs_->intercepts().value().at(0), wanted({8081}));
  become("proxy");
  ASSERT_TRUE(tcp_connect_from(at("10.40.0.11:0"), at("10.40.0.10:8080")).has_value());
  EXPECT_TRUE(tcp_accept(application->get()).has_value());
  intercept(wanted({}));
  EXPECT_EQ(programs_->intercepts().value().at(0), wanted({}));
}

TEST_F(Interception, SurvivesANewProcess) {
  intercept(wanted({8080}));
  const auto before = programs_->intercepts().value();
  programs_.reset();
  auto programs =
      bpf::Programs::load({.pin_dir = pins_, .cgroup = kernel_->cgroup(), .link_group = 0});
  ASSERT_TRUE(programs.has_value()) << programs.error().text();
  programs_ = std::move(*programs);
  EXPECT_TRUE(programs_->adopted());
  EXPECT_EQ(programs_->intercepts().value(), before);
  ASSERT_TRUE(tcp_connect(kFar).has_value());
  EXPECT_TRUE(tcp_accept(outbound_.get()).has_value());
  become("proxy");
  ASSERT_TRUE(tcp_connect_from(at("10.40.0.11:0"), at("10.40.0.10:8080")).has_value());
  EXPECT_TRUE(tcp_accept(inbound_.get()).has_value());
}

}  // namespace
}  // namespace heddle::testing
