#include "netd/dns/answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/dns/digger.h"
#include "tests/support/views.h"

namespace heddle::dns {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;
using tests::port;
using tests::ViewBuilder;

class AnswerTest : public ::testing::Test {
 protected:
  AnswerTest() {
    build.swarm("h1").node("h1", "192.0.2.1").node("h2", "192.0.2.2");
    build.network("app", "overlay", "10.40.0.0/20", 77);
    build.workload("c1");
    build.endpoint("c1", "app", "10.40.0.5");
    for (int i = 0; i < 3; ++i) {
      model::Endpoint& backend =
          build.remote("h2", "b" + std::to_string(i), "app", "10.40.0." + std::to_string(10 + i));
      backend.service = "web";
      backend.ports = {port(8080, "http")};
    }
    build.service("web", "app", "10.40.15.1").ports = {port(8080, "http")};
  }
  Answer raw(const tests::Ask& ask, Transport transport = Transport::udp) {
    return answer(build_zone(build.view(), "c1"), tests::make_query(ask), transport);
  }
  tests::Told told(const tests::Ask& ask, Transport transport = Transport::udp) {
    const Answer result = raw(ask, transport);
    EXPECT_EQ(result.kind, Answer::Kind::reply);
    return tests::read_reply(result.bytes);
  }

  ViewBuilder build;
};

TEST_F(AnswerTest, AServiceIsItsVip) {
  const auto it = told({"web"});
  EXPECT_EQ(it.rcode, 0);
  EXPECT_TRUE(it.authoritative);
  EXPECT_TRUE(it.recursion_available);
  EXPECT_THAT(it.answers, ElementsAre("A 10.40.15.1"));
}

TEST_F(AnswerTest, CaseIsKeptAndDoesNotMatter) {
  const auto it = told({"WEB.App.heddle.INTERNAL"});
  EXPECT_EQ(it.question, "WEB.App.heddle.INTERNAL.");
  EXPECT_THAT(it.answers, ElementsAre("A 10.40.15.1"));
}

TEST_F(AnswerTest, AnotherTypeOfAnExistingNameIsEmptyNotAbsent) {
  const auto it = told({"web", "AAAA"});
  EXPECT_EQ(it.rcode, 0);
  EXPECT_THAT(it.answers, IsEmpty());
  EXPECT_THAT(it.authority, SizeIs(1));
  EXPECT_EQ(told({"web", "MX"}).rcode, 0);
}

TEST_F(AnswerTest, AnUnknownNameOfOursDoesNotExistAndSaysForHowLong) {
  const auto it = told({"nope.app.heddle.internal"});
  EXPECT_EQ(it.rcode, 3);
  EXPECT_THAT(it.authority,
              ElementsAre("heddle.internal. SOA ns.heddle.internal. hostmaster.heddle.internal. 1 "
                          "3600 600 86400 2"));
}

TEST_F(AnswerTest, OtherNamesAreForwarded) {
  for (const char* name : {"www.example.com", "nope", ".", "8.8.8.8.in-addr.arpa"}) {
    EXPECT_EQ(raw({name}).kind, Answer::Kind::forward) << name;
  }
}

TEST_F(AnswerTest, SrvNamesResolvableTargetsAndBringsTheirAddresses) {
  auto it = told({"_http._tcp.web", "SRV"});
  EXPECT_THAT(it.answers, ElementsAre("SRV 0 0 8080 web.app.heddle.internal."));
  EXPECT_THAT(it.additional, ElementsAre("web.app.heddle.internal. A 10.40.15.1"));
  it = told({"_http._tcp.tasks.web", "SRV", 3});
  EXPECT_THAT(it.answers, UnorderedElementsAre("SRV 0 1 8080 ip-10-40-0-10.app.heddle.internal.",
                                               "SRV 0 1 8080 ip-10-40-0-11.app.heddle.internal.",
                                               "SRV 0 1 8080 ip-10-40-0-12.app.heddle.internal."));
  EXPECT_THAT(told({"ip-10-40-0-11.app.heddle.internal"}).answers, ElementsAre("A 10.40.0.11"));
}

TEST_F(AnswerTest, BackendsRotateWithTheQuery) {
  EXPECT_THAT(told({"tasks.web", "A", 3}).answers,
              ElementsAre("A 10.40.0.10", "A 10.40.0.11", "A 10.40.0.12"));
  EXPECT_THAT(told({"tasks.web", "A", 4}).answers,
              ElementsAre("A 10.40.0.11", "A 10.40.0.12", "A 10.40.0.10"));
}

TEST_F(AnswerTest, AddressesAreNamed) {
  EXPECT_THAT(told({"5.0.40.10.in-addr.arpa", "PTR"}).answers,
              ElementsAre("PTR c1.app.heddle.internal."));
  EXPECT_EQ(told({"77.0.40.10.in-addr.arpa", "PTR"}).rcode, 3);
  EXPECT_THAT(told({"77.0.40.10.in-addr.arpa", "PTR"}).authority, SizeIs(1));
  EXPECT_THAT(told({"5.0.40.10.in-addr.arpa", "A"}).answers, IsEmpty());
}

TEST_F(AnswerTest, EdnsIsHonouredWithinBounds) {
  EXPECT_TRUE(told({"web", "A", 1, 1232}).edns);
  for (int i = 0; i < 200; ++i) {
    model::Endpoint& backend =
        build.remote("h2", "x" + std::to_string(i), "app", "10.40.1." + std::to_string(i + 1));
    backend.service = "web";
    backend.ports = {port(8080)};
  }
  EXPECT_TRUE(told({"tasks.web"}).truncated);
  EXPECT_LE(raw({"tasks.web"}).bytes.size(), 512u);
  EXPECT_TRUE(told({"tasks.web", "A", 1, 1232}).truncated);
  EXPECT_LE(raw({"tasks.web", "A", 1, 1232}).bytes.size(), 1232u);
  EXPECT_TRUE(told({"tasks.web", "A", 1, 65535}).truncated) << "larger datagrams get lost";
  EXPECT_LE(raw({"tasks.web", "A", 1, 65535}).bytes.size(), 1232u);
  const auto tcp = told({"tasks.web"}, Transport::tcp);
  EXPECT_FALSE(tcp.truncated);
  EXPECT_THAT(tcp.answers, SizeIs(203));
}

TEST_F(AnswerTest, AnUnknownEdnsVersionIsToldSo) {
  Bytes query = tests::make_query({"web", "A", 1, 1232});
  query[query.size() - 5] = 1;  // OPT TTL: extended rcode, version, flags; then the data's length
  const Answer result = answer(build_zone(build.view(), "c1"), query, Transport::udp);
  EXPECT_EQ(tests::read_reply(result.bytes).rcode, 16);
}

TEST_F(AnswerTest, TransfersAndOtherClassesAreRefused) {
  EXPECT_EQ(told({"heddle.internal", "AXFR"}).rcode, 5);
  Bytes query = tests::make_query({"version.bind", "TXT"});
  query.back() = 3;  // class CH
  const Answer result = answer(build_zone(build.view(), "c1"), query, Transport::udp);
  EXPECT_EQ(tests::read_reply(result.bytes).rcode, 5);
}

TEST_F(AnswerTest, ANameOfOneFamilyIsEmptyForTheOtherAndCanBeCached) {
  build.view().endpoints.at("c1-app").address6 = IfAddr{tests::ip("fd00::5"), 64};
  EXPECT_THAT(told({"c1", "AAAA"}).answers, ElementsAre("AAAA fd00::5"));
  EXPECT_THAT(told({"c1", "A"}).answers, ElementsAre("A 10.40.0.5"));
  for (const char* name : {"b0", "b0.app", "b0.app.heddle.internal"}) {
    const auto it = told({name, "AAAA"});
    EXPECT_EQ(it.rcode, 0) << name;
    EXPECT_THAT(it.answers, IsEmpty()) << name;
    ASSERT_THAT(it.authority, SizeIs(1)) << name;
    EXPECT_THAT(it.authority[0], ::testing::EndsWith(" 2")) << "for as long (RFC 2308)";
  }
}

TEST_F(AnswerTest, TheDomainHasAStartOfAuthority) {
  EXPECT_THAT(told({"heddle.internal", "SOA"}).answers, SizeIs(1));
  EXPECT_EQ(told({"heddle.internal", "NS"}).rcode, 0);
}

TEST_F(AnswerTest, TheHostIsAnsweredInOurDomainAloneWithBackendsForServices) {
  std::vector<std::shared_ptr<const CurrentNames>> all;
  const auto view = std::make_shared<const model::View>(build.view());
  for (const auto& [id, network] : view->networks) {
    all.push_back(std::make_shared<const CurrentNames>(id, view));
  }
  const auto ask = [&](const tests::Ask& question, Audience audience) {
    const Answer it = answer(Zone(all, audience), tests::make_query(question), Transport::udp);
    return it.kind == Answer::Kind::reply ? tests::read_reply(it.bytes) : tests::Told{};
  };
  const auto host = [&](const tests::Ask& question) { return ask(question, Audience::host); };
  EXPECT_THAT(host({"c1.app.heddle.internal"}).answers, ElementsAre("A 10.40.0.5"));
  EXPECT_THAT(host({"web.app.heddle.internal", "A", 3}).answers,
              ElementsAre("A 10.40.0.10", "A 10.40.0.11", "A 10.40.0.12"));
  EXPECT_EQ(host({"nope.app.heddle.internal"}).rcode, 3);
  EXPECT_EQ(host({"app.heddle.internal"}).rcode, 0);
  EXPECT_THAT(host({"5.0.40.10.in-addr.arpa", "PTR"}).answers,
              ElementsAre("PTR c1.app.heddle.internal."));
  for (const char* name : {"c1", "c1.app", "web", "www.example.com", "8.8.8.8.in-addr.arpa"}) {
    EXPECT_EQ(host({name}).rcode, 5) << name;
    EXPECT_EQ(ask({name}, Audience::whole_host).rcode, -1) << name << " is forwarded";
  }
}

TEST_F(AnswerTest, ResponsesAreDropped) {
  Bytes query = tests::make_query({"web"});
  query[2] |= 0x80;
  EXPECT_EQ(answer(Zone(), query, Transport::udp).kind, Answer::Kind::drop);
}

}  // namespace
}  // namespace heddle::dns
