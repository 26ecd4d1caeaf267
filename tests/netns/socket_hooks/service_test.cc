// Services through the socket hooks, with real sockets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <map>
#include <thread>

#include "tests/netns/socket_hooks/socket_hooks_fixture.h"

namespace heddle::testing {
namespace {

using dataplane::Protocol;

const SocketAddr kVip80{kVip, 80};
const std::vector<std::string> kBackends = {"10.40.0.10:8080", "10.40.0.11:8080",
                                            "10.40.0.12:8081"};

class Services : public SocketHooks {
 protected:
  void listen_all() {
    for (std::size_t i = 0; i < kBackends.size(); ++i) {
      auto tcp = tcp_listen(at(kBackends[i]));
      auto udp = udp_bind(at(kBackends[i]));
      ASSERT_TRUE(tcp.has_value()) << tcp.error().text();
      ASSERT_TRUE(udp.has_value()) << udp.error().text();
      tcp_[i] = std::move(*tcp);
      udp_[i] = std::move(*udp);
    }
  }
  // Which backend has a datagram with this text; answers it.
  std::size_t serve(const std::string& text) {
    for (std::size_t i = 0; i < udp_.size(); ++i) {
      give_up_after(udp_[i].get(), std::chrono::milliseconds(1));
      const auto got = receive(udp_[i].get());
      if (!got) continue;
      EXPECT_EQ(got->text, text);
      EXPECT_TRUE(send_to(udp_[i].get(), "re " + text, got->from).has_value());
      return i;
    }
    ADD_FAILURE() << "no backend got " << text;
    return kBackends.size();
  }
  // Accepts what waits: a full backlog would look like a failure.
  void drain() {
    for (const UniqueFd& listener : tcp_) {
      give_up_after(listener.get(), std::chrono::milliseconds(1));
      while (tcp_accept(listener.get())) {
      }
    }
  }
  std::array<UniqueFd, 3> tcp_;
  std::array<UniqueFd, 3> udp_;
};

TEST_F(Services, ThreeHundredConnectionsSpreadEvenly) {
  put_member();
  put_service(Protocol::tcp, kBackends);
  listen_all();
  std::array<int, 3> accepted{};
  for (int i = 0; i < 300; ++i) {
    auto client = tcp_connect(kVip80);
    ASSERT_TRUE(client.has_value()) << client.error().text();
  }
  for (std::size_t i = 0; i < tcp_.size(); ++i) {
    give_up_after(tcp_[i].get(), std::chrono::milliseconds(1));
    while (tcp_accept(tcp_[i].get())) ++accepted[i];
  }
  EXPECT_THAT(accepted, ::testing::Each(100));
}

TEST_F(Services, TheCallerSeesTheVip) {
  put_member();
  put_service(Protocol::tcp, kBackends);
  listen_all();
  for (const Family family : {Family::v4, Family::mapped}) {
    auto client = tcp_connect(kVip80, family);
    ASSERT_TRUE(client.has_value()) << client.error().text();
    EXPECT_EQ(peer_of(client->get()).value(), kVip80);
  }
}

TEST_F(Services, AreClosedToNamespacesThatAreNoMembers) {
  put_service(Protocol::tcp, kBackends);
  listen_all();
  EXPECT_FALSE(tcp_connect(kVip80).has_value()) << "nobody has the VIP";
  ASSERT_TRUE(
      programs_->put_member({.cookie = cookie_, .networks = {kNetwork + 1}, .resolver = false})
          .has_value());
  EXPECT_FALSE(tcp_connect(kVip80).has_value());
  ASSERT_TRUE(
      programs_->put_member({.cookie = cookie_ + 1, .networks = {kNetwork}, .resolver = false})
          .has_value());
  EXPECT_FALSE(tcp_connect(kVip80).has_value());
  put_member();
  EXPECT_TRUE(tcp_connect(kVip80).has_value());
  ASSERT_TRUE(programs_->remove_member(cookie_).has_value());
  EXPECT_FALSE(tcp_connect(kVip80).has_value());
}

TEST_F(Services, OtherPortsAndProtocolsOfTheVipAreNotTheirs) {
  put_member();
  put_service(Protocol::udp, kBackends);
  listen_all();
  EXPECT_FALSE(tcp_connect(kVip80).has_value());
  put_service(Protocol::tcp, kBackends);
  EXPECT_FALSE(tcp_connect({kVip, 81}).has_value());
  EXPECT_TRUE(tcp_connect(kVip80).has_value());
}

TEST_F(Services, WithoutBackendsRefuseAtOnce) {
  put_member();
  put_service(Protocol::tcp, {});
  put_service(Protocol::udp, {});
  for (const Family family : {Family::v4, Family::mapped}) {
    const std::uint64_t before = drops_of(*programs_, "no_backend");
    const auto client = tcp_connect(kVip80, family);
    ASSERT_FALSE(client.has_value());
    EXPECT_EQ(client.error().sys_errno(), ECONNREFUSED);
    const auto socket = udp_open(family);
    const auto sent = send_to(socket->get(), "x", kVip80, family);
    ASSERT_FALSE(sent.has_value());
    EXPECT_EQ(sent.error().sys_errno(), ECONNREFUSED);
    const auto connected = udp_connect(socket->get(), kVip80, family);
    ASSERT_FALSE(connected.has_value());
    EXPECT_EQ(connected.error().sys_errno(), ECONNREFUSED);
    EXPECT_EQ(drops_of(*programs_, "no_backend"), before + 3);
  }
}

TEST_F(Services, NewConnectionsFollowTheBackends) {
  put_member();
  put_service(Protocol::tcp, {kBackends[0]});
  listen_all();
  ASSERT_TRUE(tcp_connect(kVip80).has_value());
  ASSERT_TRUE(tcp_accept(tcp_[0].get()).has_value());
  put_service(Protocol::tcp, {kBackends[1]});
  ASSERT_TRUE(tcp_connect(kVip80).has_value());
  ASSERT_TRUE(tcp_accept(tcp_[1].get()).has_value());
  ASSERT_TRUE(programs_->remove_service({kVip, 80, Protocol::tcp}).has_value());
  EXPECT_FALSE(tcp_connect(kVip80).has_value());
}

TEST_F(Services, UnconnectedUdpStaysWithItsBackend) {
  put_member();
  put_service(Protocol::udp, kBackends);
  listen_all();
  for (const Family family : {Family::v4, Family::mapped}) {
    std::map<std::size_t, int> served;
    for (int i = 0; i < 3; ++i) {
      auto socket = udp_open(family);
      ASSERT_TRUE(send_to(socket->get(), "a", kVip80, family).has_value());
      const std::size_t chosen = serve("a");
      for (const std::string text : {"b", "c", "d"}) {
        const auto reply = receive(socket->get());
        ASSERT_TRUE(reply.has_value()) << reply.error().text();
        EXPECT_EQ(reply->from, kVip80) << "the caller sees the VIP";
        ASSERT_TRUE(send_to(socket->get(), text, kVip80, family).has_value());
        EXPECT_EQ(serve(text), chosen);
      }
      ++served[chosen];
    }
    EXPECT_EQ(served.size(), 3u) << "sockets spread";
  }
}

TEST_F(Services, UnconnectedUdpMovesWhenItsBackendIsGone) {
  put_member();
  put_service(Protocol::udp, {kBackends[0], kBackends[1]});
  listen_all();
  auto socket = udp_open();
  ASSERT_TRUE(send_to(socket->get(), "a", kVip80).has_value());
  const std::size_t first = serve("a");
  // A list that still has it: it stays.
  put_service(Protocol::udp, {kBackends[0], kBackends[1], kBackends[2]});
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(send_to(socket->get(), "b", kVip80).has_value());
    EXPECT_EQ(serve("b"), first);
  }
  put_service(Protocol::udp, {kBackends[2]});
  ASSERT_TRUE(send_to(socket->get(), "c", kVip80).has_value());
  EXPECT_EQ(serve("c"), 2u);
}

TEST_F(Services, OneUdpSocketSpeaksToManyVips) {
  put_member();
  listen_all();
  for (std::uint16_t port = 100; port < 120; ++port)
    put_service(Protocol::udp, {kBackends[port % 3]}, port);
  auto socket = udp_open();
  for (int round = 0; round < 2; ++round) {
    for (std::uint16_t port = 100; port < 120; ++port) {
      ASSERT_TRUE(send_to(socket->get(), "x", {kVip, port}).has_value());
      EXPECT_EQ(serve("x"), port % 3u);
      const auto reply = receive(socket->get());
      ASSERT_TRUE(reply.has_value());
      EXPECT_EQ(reply->from.address, kVip);
    }
  }
}

TEST_F(Services, ConnectedUdpSeesTheVip) {
  put_member();
  put_service(Protocol::udp, kBackends);
  listen_all();
  for (const Family family : {Family::v4, Family::mapped}) {
    auto socket = udp_open(family);
    ASSERT_TRUE(udp_connect(socket->get(), kVip80, family).has_value());
    EXPECT_EQ(peer_of(socket->get()).value(), kVip80);
    ASSERT_TRUE(send_text(socket->get(), "a").has_value());
    const std::size_t chosen = serve("a");
    const auto reply = receive(socket->get());
    ASSERT_TRUE(reply.has_value()) << reply.error().text();
    EXPECT_EQ(reply->from, kVip80);
    ASSERT_TRUE(send_text(socket->get(), "b").has_value());
    EXPECT_EQ(serve("b"), chosen);
  }
}

TEST_F(Services, AnOldDetourIsForgottenOnReconnect) {
  put_member();
  put_service(Protocol::udp, kBackends);
  listen_all();
  auto socket = udp_open();
  ASSERT_TRUE(udp_connect(socket->get(), kVip80).has_value());
  for (const std::string& backend : kBackends) {
    ASSERT_TRUE(udp_connect(socket->get(), at(backend)).has_value());
    EXPECT_EQ(peer_of(socket->get()).value(), at(backend));
  }
}

TEST_F(Services, MostBackendsAndOneMore) {
  put_member();
  std::vector<std::string> backends;
  for (int i = 0; i < 256; ++i) backends.push_back("10.40.1." + std::to_string(i) + ":80");
  put_service(Protocol::tcp, backends);
  dataplane::ServiceEntry service = programs_->services().value().at(0);
  EXPECT_EQ(service.backends.size(), 256u);
  service.backends.push_back({*IpAddr::parse("10.40.2.1"), 80});
  const auto put = programs_->put_service(service);
  ASSERT_FALSE(put.has_value());
  EXPECT_EQ(put.error().code(), Errc::exhausted);
  EXPECT_EQ(programs_->services().value().at(0).backends.size(), 256u);
}

TEST_F(Services, NoConnectFailsWhileBackendsChange) {
  put_member();
  listen_all();
  put_service(Protocol::tcp, kBackends);
  std::atomic<bool> done = false;
  int changes = 0;
  std::thread changing([&] {
    while (!done) {
      const auto index = static_cast<std::size_t>(++changes) % 3;
      put_service(Protocol::tcp, {kBackends[index], kBackends[(index + 1) % 3]});
    }
  });
  int failed = 0;
  for (int i = 0; i < 2000; ++i) {
    auto client = tcp_connect(kVip80);
    if (!client) ++failed;
    if (i % 100 == 0) drain();
  }
  done = true;
  changing.join();
  EXPECT_EQ(failed, 0);
  EXPECT_GT(changes, 100);
  EXPECT_EQ(drops_of(*programs_, "backend_changed"), 0u);
}

TEST_F(Services, DnsGoesToTheNamespacesOwnResolver) {
  put_member(true);
  auto resolver = udp_bind(at("127.0.0.11:53"));
  auto tcp_resolver = tcp_listen(at("127.0.0.11:53"));
  ASSERT_TRUE(resolver.has_value() && tcp_resolver.has_value());
  // Another host's, and the host's own, which nobody has in here.
  for (const auto& [asked, family] :
       {std::pair(at("192.0.2.53:53"), Family::v4), std::pair(at("192.0.2.53:53"), Family::mapped),
        std::pair(at("127.0.0.53:53"), Family::v4),
        std::pair(at("127.0.0.1:53"), Family::mapped)}) {
    for (const bool connected : {false, true}) {
      auto socket = udp_open(family);
      if (connected) {
        ASSERT_TRUE(udp_connect(socket->get(), asked, family).has_value());
        ASSERT_TRUE(send_text(socket->get(), "q").has_value());
      } else {
        ASSERT_TRUE(send_to(socket->get(), "q", asked, family).has_value());
      }
      const auto query = receive(resolver->get());
      ASSERT_TRUE(query.has_value()) << query.error().text();
      ASSERT_TRUE(send_to(resolver->get(), "a", query->from).has_value());
      const auto answer = receive(socket->get());
      ASSERT_TRUE(answer.has_value()) << answer.error().text();
      EXPECT_EQ(answer->from, asked);
    }
    auto tcp = tcp_connect(asked, family);
    ASSERT_TRUE(tcp.has_value()) << tcp.error().text();
    EXPECT_EQ(peer_of(tcp->get()).value(), asked);
  }
}

TEST_F(Services, LoopbackDnsIsLeftAlone) {
  put_member(true);
  auto other = udp_bind(at("127.0.0.53:53"));
  ASSERT_TRUE(other.has_value());
  auto socket = udp_open();
  ASSERT_TRUE(send_to(socket->get(), "q", at("127.0.0.53:53")).has_value());
  EXPECT_TRUE(receive(other->get()).has_value());
}

TEST_F(Services, WithoutAResolverDnsIsLeftAlone) {
  put_member(false);
  auto server = udp_bind(at("10.40.0.10:53"));
  auto socket = udp_open();
  ASSERT_TRUE(send_to(socket->get(), "q", at("10.40.0.10:53")).has_value());
  EXPECT_TRUE(receive(server->get()).has_value());
}

}  // namespace
}  // namespace heddle::testing
