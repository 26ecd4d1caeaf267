#include "netd/dns/zone.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/views.h"

namespace heddle::dns {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using tests::ip;
using tests::port;
using tests::ViewBuilder;
using Outcome = Zone::Outcome;

// c1 here on app and blue; c2 on h2 serves web; c3 here on blue alone.
class ZoneTest : public ::testing::Test {
 protected:
  ZoneTest() {
    build.swarm("h1").node("h1", "192.0.2.1").node("h2", "192.0.2.2");
    build.network("app", "overlay", "10.40.0.0/20", 77);
    build.network("blue", "bridge", "172.20.0.0/24");
    build.workload("c1");
    build.workload("c3");
    build.endpoint("c1", "app", "10.40.0.5").created = model::Time(std::chrono::seconds(1));
    build.endpoint("c1", "blue", "172.20.0.5").created = model::Time(std::chrono::seconds(2));
    build.endpoint("c3", "blue", "172.20.0.7").aliases = {"db", "cache"};
    model::Endpoint& backend = build.remote("h2", "c2", "app", "10.40.0.9");
    backend.service = "web";
    backend.ports = {port(8080, "http")};
    build.service("web", "app", "10.40.15.1").ports = {port(8080, "http")};
  }
  std::vector<std::string> find(const std::string& name, const std::string& workload = "c1") {
    const Zone zone = build_zone(build.view(), workload);
    Zone::Found found;
    switch (zone.find(name, found)) {
      case Outcome::foreign:
        return {"foreign"};
      case Outcome::absent:
        return {"absent"};
      case Outcome::found:
        break;
    }
    std::vector<std::string> result;
    for (const IpAddr& address : found.entry->addresses) result.push_back(address.format());
    for (const Srv& srv : found.entry->services) {
      result.push_back(std::to_string(srv.port) + " " + srv.target);
    }
    return result;
  }

  ViewBuilder build;
};

TEST_F(ZoneTest, ANameIsFoundBareWithItsNetworkAndFullyQualified) {
  for (const char* suffix : {"", ".app", ".app.heddle.internal"}) {
    EXPECT_THAT(find("c2" + std::string(suffix)), ElementsAre("10.40.0.9")) << suffix;
    EXPECT_THAT(find("web" + std::string(suffix)), ElementsAre("10.40.15.1")) << suffix;
    EXPECT_THAT(find("tasks.web" + std::string(suffix)), ElementsAre("10.40.0.9")) << suffix;
    EXPECT_THAT(find("_http._tcp.web" + std::string(suffix)), ElementsAre("8080 web")) << suffix;
    EXPECT_THAT(find("_8080._tcp.web" + std::string(suffix)), ElementsAre("8080 web")) << suffix;
    EXPECT_THAT(find("_http._tcp.tasks.web" + std::string(suffix)),
                ElementsAre("8080 ip-10-40-0-9"));
  }
  EXPECT_THAT(find("ip-10-40-0-9.app.heddle.internal"), ElementsAre("10.40.0.9"));
}

TEST_F(ZoneTest, AWorkloadSeesOnlyItsOwnNetworks) {
  EXPECT_THAT(find("web", "c3"), ElementsAre("foreign"));
  EXPECT_THAT(find("web.app.heddle.internal", "c3"), ElementsAre("absent"));
  EXPECT_THAT(find("db", "c3"), ElementsAre("172.20.0.7"));
  EXPECT_THAT(find("cache.blue", "c1"), ElementsAre("172.20.0.7"));
  EXPECT_THAT(find("db", "nobody"), ElementsAre("foreign"));
}

TEST_F(ZoneTest, ABareNameIsTheFirstAttachedNetworks) {
  EXPECT_THAT(find("c1"), ElementsAre("10.40.0.5"));
  EXPECT_THAT(find("c1.blue"), ElementsAre("172.20.0.5"));
  EXPECT_THAT(find("c1", "c3"), ElementsAre("172.20.0.5"));
}

TEST_F(ZoneTest, OnlyOurDomainSaysThatANameDoesNotExist) {
  EXPECT_THAT(find("nope.app.heddle.internal"), ElementsAre("absent"));
  EXPECT_THAT(find("nope.heddle.internal"), ElementsAre("absent"));
  EXPECT_THAT(find("nope"), ElementsAre("foreign"));
  EXPECT_THAT(find("google.app"), ElementsAre("foreign")) << "app is a top-level domain, too";
  EXPECT_THAT(find("app"), ElementsAre("foreign"));
  EXPECT_THAT(find("www.example.com"), ElementsAre("foreign"));
  EXPECT_THAT(find("notheddle.internal"), ElementsAre("foreign"));
}

TEST_F(ZoneTest, NodesBetweenExistInOurDomainAndNowhereElse) {
  for (const char* name :
       {"heddle.internal", "app.heddle.internal", "_tcp.web.app.heddle.internal"}) {
    EXPECT_THAT(find(name), IsEmpty()) << name;
  }
  EXPECT_THAT(find("_tcp.web"), ElementsAre("foreign"));
  EXPECT_THAT(find("_tcp.web.app"), ElementsAre("foreign"));
}

TEST_F(ZoneTest, BackendsAreTheUsableOnes) {
  build.view().unreachable.insert("h2");
  EXPECT_THAT(find("tasks.web"), IsEmpty()) << "it exists, with nothing behind it";
  EXPECT_THAT(find("web"), ElementsAre("10.40.15.1"));
  EXPECT_THAT(find("c2"), ElementsAre("10.40.0.9")) << "a workload is that workload";
  build.view().unreachable.clear();
  build.view().endpoints.at("c2-app").state = model::EndpointState::starting;
  EXPECT_THAT(find("tasks.web"), IsEmpty());
  build.view().endpoints.at("c2-app").state = model::EndpointState::gone;
  EXPECT_THAT(find("c2"), ElementsAre("foreign"));
}

TEST_F(ZoneTest, OfWorkloadsWithOneNameTheReachableAreMeant) {
  build.remote("h2", "c9", "app", "10.40.0.30").workload_name = "twin";
  build.endpoint("c8", "app", "10.40.0.31").workload_name = "twin";
  EXPECT_THAT(find("twin"), ElementsAre("10.40.0.30", "10.40.0.31"));
  build.view().unreachable.insert("h2");
  EXPECT_THAT(find("twin"), ElementsAre("10.40.0.31"));
}

TEST_F(ZoneTest, AServiceHidesAWorkloadOfItsName) {
  build.endpoint("c7", "app", "10.40.0.32").workload_name = "web";
  EXPECT_THAT(find("web"), ElementsAre("10.40.15.1"));
}

TEST_F(ZoneTest, ALonePortWithoutANameIsHttpUnlessSaidOtherwise) {
  model::Service& web = build.view().services.at("web.app");
  web.ports = {port(8080)};
  EXPECT_THAT(find("_http._tcp.web"), ElementsAre("8080 web"));
  web.ports[0].app = model::AppProtocol::tcp;
  EXPECT_THAT(find("_http._tcp.web"), ElementsAre("foreign"));
  web.ports = {port(8080), port(9090)};
  EXPECT_THAT(find("_http._tcp.web"), ElementsAre("foreign"));
  EXPECT_THAT(find("_9090._tcp.web"), ElementsAre("9090 web"));
  web.ports = {port(53, "dns", model::Protocol::udp)};
  EXPECT_THAT(find("_dns._udp.web"), ElementsAre("53 web"));
}

TEST_F(ZoneTest, AddressesLeadBackToNames) {
  const Zone zone = build_zone(build.view(), "c1");
  const auto reverse = [&](const char* name) { return zone.find_reverse(name); };
  EXPECT_EQ(reverse("9.0.40.10.in-addr.arpa").target, "c2.app.heddle.internal");
  EXPECT_EQ(reverse("1.15.40.10.in-addr.arpa").target, "web.app.heddle.internal");
  EXPECT_EQ(reverse("7.0.20.172.in-addr.arpa").target, "c3.blue.heddle.internal");
  EXPECT_EQ(reverse("99.0.40.10.in-addr.arpa").outcome, Outcome::absent);
  EXPECT_EQ(reverse("99.0.40.10.in-addr.arpa").apex, "40.10.in-addr.arpa");
  EXPECT_EQ(reverse("8.8.8.8.in-addr.arpa").outcome, Outcome::foreign);
  EXPECT_EQ(reverse("40.10.in-addr.arpa").outcome, Outcome::foreign);
}

TEST_F(ZoneTest, AnEndpointOfBothFamiliesHasBothUnderEveryNameAndBackwards) {
  build.view().networks["blue"].subnets.push_back({tests::prefix("fd00::/64"), ip("fd00::1")});
  model::Endpoint& c3 = build.view().endpoints.at("c3-blue");
  c3.address6 = IfAddr{ip("fd00::7"), 64};
  c3.link_local = {{ip("fe80::7"), 64}};
  for (const char* name : {"c3", "db", "cache.blue.heddle.internal"}) {
    EXPECT_THAT(find(name), ElementsAre("172.20.0.7", "fd00::7")) << name;
  }
  const Zone zone = build_zone(build.view(), "c1");
  const std::string zeros = "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0";
  EXPECT_EQ(zone.find_reverse("7." + zeros + ".0.0.d.f.ip6.arpa").target,
            "c3.blue.heddle.internal");
  EXPECT_EQ(zone.find_reverse("8." + zeros + ".0.0.d.f.ip6.arpa").outcome, Outcome::absent);
  EXPECT_EQ(zone.find_reverse("7." + zeros + ".0.0.d.f.ip6.arpa").apex,
            "0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa");
}

TEST_F(ZoneTest, BackendsOfBothFamiliesAreTasksOfAServiceWhoseVipIsIpv4) {
  model::Endpoint& c2 = build.view().endpoints.at("c2-app");
  c2.address6 = IfAddr{ip("fd00::9"), 64};
  EXPECT_THAT(find("web"), ElementsAre("10.40.15.1"));
  EXPECT_THAT(find("tasks.web"), ElementsAre("10.40.0.9", "fd00::9"));
  EXPECT_THAT(find("ip-10-40-0-9.app"), ElementsAre("10.40.0.9", "fd00::9"));
  build.view().services.at(build.view().services.begin()->first).vip = IpAddr();
  EXPECT_THAT(find("web"), ElementsAre("10.40.0.9", "fd00::9")) << "without a VIP: the backends";
}

TEST_F(ZoneTest, WorkloadsOfOneNetworkShareItsNames) {
  const auto zones = build_zones(build.view());
  EXPECT_THAT(zones, SizeIs(2)) << "those of this node";
  Zone::Found one, other;
  EXPECT_EQ(zones.at("c1")->find("db.blue", one), Outcome::found);
  EXPECT_EQ(zones.at("c3")->find("db.blue", other), Outcome::found);
  EXPECT_EQ(one.network, other.network);
}

TEST(ParseReverse, ReadsBothFamiliesAndNothingElse) {
  EXPECT_EQ(parse_reverse("4.3.2.1.in-addr.arpa")->format(), "1.2.3.4");
  EXPECT_EQ(
      parse_reverse("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa")
          ->format(),
      "fd00::1");
  for (const char* name :
       {"", "in-addr.arpa", ".in-addr.arpa", "3.2.1.in-addr.arpa", "5.4.3.2.1.in-addr.arpa",
        "256.3.2.1.in-addr.arpa", "04.3.2.1.in-addr.arpa", "x.3.2.1.in-addr.arpa",
        "4..2.1.in-addr.arpa", "1.2.ip6.arpa", "ip6.arpa"}) {
    EXPECT_FALSE(parse_reverse(name)) << name;
  }
}

}  // namespace
}  // namespace heddle::dns
