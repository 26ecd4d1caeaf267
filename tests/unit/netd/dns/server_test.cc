#include "netd/dns/server.h"

#include <gmock/gmock.h>

#include "tests/unit/netd/dns/peers.h"

namespace heddle::dns {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using tests::Client;
using tests::duplicate;
using tests::make_query;
using tests::read_reply;
using tests::says;
using tests::Sockets;
using tests::Upstream;

using DnsServerTest = tests::DnsServerTest;

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
    ASSERT_TRUE(server->add("c1", {duplicate(sockets.udp), duplicate(sockets.tcp)}, zone()));
    ASSERT_TRUE(server->add("c1", {duplicate(sockets.udp), duplicate(sockets.tcp)}, zone()));
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
  EXPECT_EQ(server->add("c2", {duplicate(other.tcp), duplicate(other.udp)}, nullptr).error().code(),
            Errc::invalid);
  EXPECT_FALSE(server->add("c2", {}, nullptr));
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
