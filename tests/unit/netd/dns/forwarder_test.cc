#include "netd/dns/forwarder.h"

#include <gmock/gmock.h>

#include <cctype>
#include <set>

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

using ForwarderTest = tests::DnsServerTest;

TEST_F(ForwarderTest, WithoutUpstreamsOtherNamesFailAtOnce) {
  start();
  EXPECT_EQ(ask({"www.example.com"}).rcode, 2);
  EXPECT_EQ(ask_tcp({"www.example.com"}).rcode, 2);
  EXPECT_EQ(server->stats().failed, 2u);
}

TEST_F(ForwarderTest, OtherNamesGoToTheUpstreamUnderAnotherId) {
  std::atomic<int> seen{-1};
  Upstream upstream([&](ByteView query, auto) {
    seen = id_of(query);
    return says(query, "192.0.2.80");
  });
  settings.upstreams = {upstream.address()};
  start();
  int same = 0;
  for (std::uint16_t id = 1; id <= 8; ++id) {
    const std::string name = "www" + std::to_string(id) + ".example.com";
    EXPECT_THAT(ask({name, "A", id}).answers, ElementsAre("A 192.0.2.80"));
    same += seen == id;
  }
  EXPECT_LE(same, 1) << "ids are random";
}

TEST_F(ForwarderTest, ASilentOrFailingUpstreamIsPassedOver) {
  Upstream silent([](ByteView, auto) { return Bytes(); });
  Upstream failing([](ByteView query, auto) { return encode_failure(query, Rcode::refused); });
  Upstream good([](ByteView query, auto) { return says(query, "192.0.2.80"); });
  Sockets closed = Sockets::open();
  closed.udp.reset();
  settings.upstreams = {closed.address(), silent.address(), failing.address(), good.address()};
  start();
  EXPECT_THAT(ask({"www.example.com"}).answers, ElementsAre("A 192.0.2.80"));
  EXPECT_EQ(failing.asked(), 1);
  const auto upstreams = server->upstreams();
  ASSERT_EQ(upstreams.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(upstreams[i].up, i == 3) << i;
  EXPECT_EQ(server->stats().upstream_silent, 1u);
  EXPECT_EQ(server->stats().upstream_useless, 2u);
}

TEST_F(ForwarderTest, WhenAllRefuseTheRefusalIsPassedOn) {
  Upstream failing([](ByteView query, auto) { return encode_failure(query, Rcode::refused); });
  settings.upstreams = {failing.address()};
  start();
  EXPECT_EQ(ask({"www.example.com"}).rcode, 5);
}

TEST_F(ForwarderTest, AReplyToAnotherQuestionIsNotBelieved) {
  Upstream liar([](ByteView query, auto) {
    Bytes other = make_query({"www.example.org", "A", id_of(query)});
    return says(other, "198.51.100.66");
  });
  Upstream good([](ByteView query, auto) { return says(query, "192.0.2.80"); });
  settings.upstreams = {liar.address(), good.address()};
  start();
  EXPECT_THAT(ask({"www.example.com"}).answers, ElementsAre("A 192.0.2.80"));
}

TEST_F(ForwarderTest, ATruncatedReplyIsPassedOnAndComesWholeOverTcp) {
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

TEST_F(ForwarderTest, UpstreamsCanBeReplaced) {
  Upstream good([](ByteView query, auto) { return says(query, "192.0.2.80"); });
  start();
  EXPECT_EQ(ask({"www.example.com"}).rcode, 2);
  server->set_upstreams({good.address()});
  EXPECT_EQ(ask({"www.example.com"}).rcode, 0);
}

TEST_F(ForwarderTest, ADeadServerIsAskedBesideALivingOneUntilItAnswersAgain) {
  std::atomic<bool> dead{true};
  Upstream first([&](ByteView query, auto) { return dead ? Bytes() : says(query, "192.0.2.1"); });
  Upstream second([](ByteView query, auto) { return says(query, "192.0.2.2"); });
  settings.upstreams = {first.address(), second.address()};
  start();
  EXPECT_THAT(ask({"a.example.com"}).answers, ElementsAre("A 192.0.2.2"));
  dead = false;
  std::vector<std::string> told;
  const auto patience = std::chrono::steady_clock::now() + 60s;
  for (int i = 0; std::chrono::steady_clock::now() < patience; ++i) {
    told = ask({"b" + std::to_string(i) + ".example.com"}).answers;
    if (told == std::vector<std::string>{"A 192.0.2.1"}) break;
    EXPECT_THAT(told, ElementsAre("A 192.0.2.2")) << "nobody waits for the dead one";
    std::this_thread::yield();
  }
  EXPECT_THAT(told, ElementsAre("A 192.0.2.1"));
}

TEST_F(ForwarderTest, ALostDatagramIsAskedForOnceMore) {
  std::atomic<int> asked{0};
  Upstream lossy([&](ByteView query, auto) { return ++asked == 1 ? Bytes() : says(query, "::1"); });
  settings.upstreams = {lossy.address()};
  start();
  EXPECT_THAT(ask({"www.example.com"}).rcode, 0);
  EXPECT_EQ(lossy.asked(), 2);
}

TEST_F(ForwarderTest, AnAnswerIsAskedForOnceWhileItsTtlLasts) {
  Upstream upstream([](ByteView query, auto) { return says(query, "192.0.2.80"); });
  settings.upstreams = {upstream.address()};
  start();
  for (const char* name : {"www.example.com", "WWW.example.com", "wWw.eXample.com"}) {
    const auto told = ask({name});
    EXPECT_THAT(told.answers, ElementsAre("A 192.0.2.80"));
    EXPECT_EQ(told.question, std::string(name) + ".");
    EXPECT_FALSE(told.edns) << "what the upstream's reply had is between it and us";
  }
  EXPECT_THAT(ask_tcp({"www.example.com"}).answers, ElementsAre("A 192.0.2.80"));
  EXPECT_EQ(upstream.asked(), 1);
  EXPECT_EQ(server->stats().cached, 3u);
  EXPECT_EQ(server->stats().cache_entries, 1u);
  EXPECT_TRUE(ask({"www.example.com", "A", 1, 1232, tests::Ask::Dnssec::yes}).dnssec_ok);
  EXPECT_EQ(upstream.asked(), 2) << "with DNSSEC it is another question";
}

TEST_F(ForwarderTest, ADenialIsKeptForAsLongAsItsSoaSaysAndAFailureIsNot) {
  Upstream upstream([](ByteView query, auto) {
    const auto name = parse_query(query).query->name;
    if (name == "fails.example.com") return encode_failure(query, Rcode::server_failure);
    if (name == "empty.example.com") return tests::make_denial(query, Rcode::no_error, 60);
    return tests::make_denial(query, Rcode::name_error, 60);
  });
  settings.upstreams = {upstream.address()};
  start();
  for (int i = 0; i < 3; ++i) {
    const auto absent = ask({"nope.example.com"});
    EXPECT_EQ(absent.rcode, 3);
    EXPECT_EQ(absent.authority.size(), 1u) << "askers keep it too";
    EXPECT_EQ(ask({"empty.example.com", "AAAA"}).rcode, 0);
  }
  EXPECT_EQ(upstream.asked(), 2);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask({"fails.example.com"}).rcode, 2);
  EXPECT_EQ(upstream.asked(), 5);
}

TEST_F(ForwarderTest, AskersOfOneQuestionShareOneQuery) {
  std::atomic<bool> answer{false};
  Upstream upstream([&](ByteView query, auto) {
    while (!answer) std::this_thread::yield();
    return says(query, "192.0.2.80");
  });
  settings.upstreams = {upstream.address()};
  settings.upstream_attempt = settings.upstream_total = 60s;
  start();
  Client client(SOCK_DGRAM, sockets.port);
  for (std::uint16_t id = 1; id <= 20; ++id) client.send(make_query({"www.example.com", "A", id}));
  while (server->stats().joined < 19) std::this_thread::yield();
  answer = true;
  std::set<std::uint16_t> ids;
  for (int i = 0; i < 20; ++i) {
    const Bytes reply = client.receive();
    EXPECT_THAT(read_reply(reply).answers, ElementsAre("A 192.0.2.80"));
    ids.insert(id_of(reply));
  }
  EXPECT_EQ(ids.size(), 20u);
  EXPECT_EQ(upstream.asked(), 1);
}

TEST_F(ForwarderTest, AServerWithoutEdnsIsAskedWithoutFromThenOn) {
  std::atomic<int> with{0};
  Upstream old([&](ByteView query, auto) {
    if (!parse_query(query).query->edns) return says(query, "192.0.2.80");
    ++with;
    return encode_failure(query, Rcode::format_error);
  });
  settings.upstreams = {old.address()};
  start();
  EXPECT_THAT(ask({"a.example.com"}).answers, ElementsAre("A 192.0.2.80"));
  EXPECT_THAT(ask({"b.example.com"}).answers, ElementsAre("A 192.0.2.80"));
  EXPECT_EQ(with, 1);
}

TEST_F(ForwarderTest, AServerThatDoesNotKeepTheSpellingIsAskedInLowerCaseFromThenOn) {
  Upstream folding([](ByteView query, auto) {
    Bytes lower(query.begin(), query.end());
    for (std::size_t i = kHeaderSize; i < lower.size() - kOptSize - 4; ++i) {
      lower[i] = static_cast<std::uint8_t>(std::tolower(lower[i]));
    }
    return says(lower, "192.0.2.80");
  });
  settings.upstreams = {folding.address()};
  start();
  EXPECT_THAT(ask({"WWW.Example.com"}).answers, ElementsAre("A 192.0.2.80"));
  EXPECT_EQ(folding.asked(), 2);
  EXPECT_THAT(ask({"b.example.com"}).answers, ElementsAre("A 192.0.2.80"));
  EXPECT_EQ(folding.asked(), 3);
}

TEST_F(ForwarderTest, AQuestionThatComesBackToUsIsRefusedAtOnce) {
  settings.upstreams = {sockets.address()};
  settings.upstream_attempt = settings.upstream_total = 60s;
  start();
  EXPECT_EQ(ask({"www.example.com"}).rcode, 5);
  EXPECT_EQ(server->stats().loops, 1u);
}

TEST_F(ForwarderTest, AReplyThatIsTooLongForTheAskerIsTruncatedAndWholeOverTcp) {
  Upstream upstream(
      [](ByteView query, auto) { return tests::make_reply(query, "192.0.2.80", 60); });
  settings.upstreams = {upstream.address()};
  start();
  EXPECT_EQ(ask({"big.example.com", "A", 1, 1232}).answers.size(), 60u);
  const auto cut = ask({"big.example.com"});
  EXPECT_TRUE(cut.truncated);
  EXPECT_EQ(cut.answers.size(), 0u);
  EXPECT_EQ(ask_tcp({"big.example.com"}).answers.size(), 60u);
  EXPECT_EQ(upstream.asked(), 1);
}

TEST_F(ForwarderTest, NoBytesOfAnUpstreamDoHarm) {
  std::atomic<unsigned> seed{1};
  Upstream hostile([&](ByteView query, auto) {
    Bytes reply = tests::make_reply(query, "192.0.2.80", 3);
    std::uint32_t state = ++seed * 2654435761u;
    for (int i = 0; i < 6; ++i) {
      state = state * 1664525u + 1013904223u;
      const std::size_t from = 2 + (state >> 8) % (reply.size() - 2);
      reply[from] = static_cast<std::uint8_t>(state >> 24);
    }
    if (seed % 5 == 0) reply.resize(reply.size() / 2);
    return reply;
  });
  settings.upstreams = {hostile.address()};
  settings.upstream_attempt = settings.upstream_total = 20ms;
  start();
  for (int i = 0; i < 200; ++i) {
    EXPECT_GE(ask({"n" + std::to_string(i) + ".example.com"}).rcode, 0) << "an answer there is";
  }
  EXPECT_EQ(ask({"c1"}).rcode, 0);
}

TEST_F(ForwarderTest, WorkloadsWithOtherUpstreamsHearOtherAnswers) {
  Upstream hosts([](ByteView query, auto) { return says(query, "192.0.2.1"); });
  Upstream own([](ByteView query, auto) { return says(query, "192.0.2.2"); });
  settings.upstreams = {hosts.address()};
  start();
  Sockets other = Sockets::open();
  ASSERT_TRUE(
      server->add("c2", {duplicate(other.udp), duplicate(other.tcp)}, zone(), {own.address()}));
  const auto ask_other = [&] {
    Client client(SOCK_DGRAM, other.port);
    client.send(make_query({"www.example.com"}));
    return read_reply(client.receive()).answers;
  };
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(ask({"www.example.com"}).answers, ElementsAre("A 192.0.2.1"));
    EXPECT_THAT(ask_other(), ElementsAre("A 192.0.2.2"));
  }
  EXPECT_EQ(hosts.asked() + own.asked(), 2);
  EXPECT_EQ(server->stats().cache_entries, 2u);
  server->remove("c2");
  while (server->stats().cache_entries > 1) std::this_thread::yield();  // gone with the last one
}

TEST_F(ForwarderTest, QuestionsOfOneWorkloadAreBounded) {
  Upstream silent([](ByteView, auto) { return Bytes(); });
  settings.upstreams = {silent.address()};
  settings.max_forwarded_per_workload = 4;
  settings.upstream_attempt = settings.upstream_total = 60s;
  start();
  Client client(SOCK_DGRAM, sockets.port);
  for (std::uint16_t id = 0; id < 5; ++id) client.send(make_query({"www.example.com", "A", id}));
  EXPECT_EQ(read_reply(client.receive()).rcode, 2) << "the fifth, at once";
  EXPECT_EQ(server->stats().refused, 1u);
  EXPECT_THAT(ask({"c1"}).answers, ElementsAre("A 172.20.0.5")) << "our own names are not held up";
}

TEST_F(ForwarderTest, OneWorkloadThatFloodsStarvesNoOther) {
  Upstream upstream([](ByteView query, auto) {
    const bool slow = parse_query(query).query->name.starts_with("slow");
    return slow ? Bytes() : says(query, "192.0.2.80");
  });
  settings.upstreams = {upstream.address()};
  settings.max_forwarded = 40;
  settings.max_forwarded_per_workload = 100;
  settings.upstream_attempt = settings.upstream_total = 60s;
  start();
  Sockets other = Sockets::open();
  ASSERT_TRUE(server->add("c2", {duplicate(other.udp), duplicate(other.tcp)}, zone()));
  Client flood(SOCK_DGRAM, sockets.port);
  for (std::uint16_t id = 0; id < 60; ++id) {
    flood.send(make_query({"slow" + std::to_string(id) + ".example.com", "A", id}));
  }
  for (int i = 0; i < 30; ++i) EXPECT_EQ(read_reply(flood.receive()).rcode, 2);
  Client polite(SOCK_DGRAM, other.port);
  polite.send(make_query({"www.example.com"}));
  EXPECT_THAT(read_reply(polite.receive()).answers, ElementsAre("A 192.0.2.80"));
}

}  // namespace
}  // namespace heddle::dns
