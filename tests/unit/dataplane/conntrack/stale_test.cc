#include "dataplane/conntrack/stale.h"

#include <gtest/gtest.h>

namespace heddle::conntrack {
namespace {

using dataplane::Protocol;
using dataplane::PublishedKey;
using dataplane::PublishedTarget;

IpAddr ip(const char* text) {
  return IpAddr::parse(text).value();
}
SocketAddr at(const char* text) {
  return SocketAddr::parse(text).value();
}
PublishedTarget target(const char* text) {
  return {at(text).address, at(text).port};
}

constexpr std::uint8_t kUdp = 17;
const PublishedKey kAnywhere{Protocol::udp, IpAddr(), 53};
const PublishedKey kExact{Protocol::udp, ip("192.0.2.1"), 53};

bool is_local(const IpAddr& address) {
  return address == ip("192.0.2.1") || address == ip("2001:db8::1");
}

bool stale(const Published& removed, const Published& added, const Flow& flow) {
  return Stale(removed, added, is_local).contains(flow);
}

// From a client to `to`, answered by `from`.
Flow flow(const char* to, const char* from, std::uint8_t protocol = kUdp) {
  const SocketAddr client =
      at(to).address.is_v4() ? at("198.51.100.9:4000") : at("[2001:db8::9]:4000");
  return {protocol, {client, at(to)}, {at(from), client}};
}

TEST(Stale, AreConnectionsThroughARemovedPortToWhereItLed) {
  const Published removed{{kAnywhere, target("10.1.0.5:5353")}};
  EXPECT_TRUE(stale(removed, {}, flow("192.0.2.1:53", "10.1.0.5:5353")));
  EXPECT_FALSE(stale(removed, {}, flow("192.0.2.1:53", "10.1.0.6:5353"))) << "another endpoint's";
  EXPECT_FALSE(stale(removed, {}, flow("192.0.2.1:53", "10.1.0.5:5354")));
  EXPECT_FALSE(stale(removed, {}, flow("192.0.2.1:54", "10.1.0.5:5353")));
  EXPECT_FALSE(stale(removed, {}, flow("192.0.2.1:53", "10.1.0.5:5353", 6))) << "TCP";
  EXPECT_FALSE(stale(removed, {}, flow("10.1.0.5:5353", "10.1.0.5:5353")))
      << "not through the port";
}

TEST(Stale, OfOneAddressAreNotThoseOfAnother) {
  const Published removed{{kExact, target("10.1.0.5:5353")}};
  EXPECT_TRUE(stale(removed, {}, flow("192.0.2.1:53", "10.1.0.5:5353")));
  EXPECT_FALSE(stale(removed, {}, flow("192.0.2.2:53", "10.1.0.5:5353")));
}

TEST(Stale, AreConnectionsThatTheOldEndpointBeganFromThePort) {
  const Published removed{{kAnywhere, target("10.1.0.5:5353")}};
  const Flow own{kUdp,
                 {at("10.1.0.5:5353"), at("198.51.100.9:4000")},
                 {at("198.51.100.9:4000"), at("192.0.2.1:53")}};
  EXPECT_TRUE(stale(removed, {}, own));
  Flow others = own;
  others.original.source = at("10.1.0.6:5353");
  EXPECT_FALSE(stale(removed, {}, others));
}

TEST(Stale, AreConnectionsToTheHostItselfWhenAPortIsAdded) {
  const Published added{{kAnywhere, target("10.1.0.5:5353")}};
  EXPECT_TRUE(stale({}, added, flow("192.0.2.1:53", "192.0.2.1:53")));
  EXPECT_FALSE(stale({}, added, flow("192.0.2.1:53", "10.1.0.5:5353"))) << "as it should be";
  EXPECT_FALSE(stale({}, added, flow("192.0.2.1:53", "10.1.0.9:5353"))) << "a port of one address";
  EXPECT_FALSE(stale({}, added, flow("8.8.8.8:53", "8.8.8.8:53"))) << "the host's own queries";
  EXPECT_FALSE(stale({}, added, flow("[2001:db8::1]:53", "[2001:db8::1]:53"))) << "another family";
}

TEST(Stale, AreConnectionsThroughAPortOfAllAddressesWhenOneAddressGetsItsOwn) {
  const Published added{{kExact, target("10.1.0.5:5353")}};
  EXPECT_TRUE(stale({}, added, flow("192.0.2.1:53", "10.1.0.9:5353")));
  EXPECT_FALSE(stale({}, added, flow("192.0.2.2:53", "10.1.0.9:5353")));
}

TEST(Stale, AMoveIsARemovalAndAnAddition) {
  const Published removed{{kAnywhere, target("10.1.0.5:5353")}};
  const Published added{{kAnywhere, target("10.1.0.6:5353")}};
  EXPECT_TRUE(stale(removed, added, flow("192.0.2.1:53", "10.1.0.5:5353")));
  EXPECT_FALSE(stale(removed, added, flow("192.0.2.1:53", "10.1.0.6:5353")));
}

TEST(Stale, KnowsWhichFamiliesToLookAt) {
  const Stale only6({{{Protocol::udp, ip("::"), 53}, target("[fd00::5]:53")}}, {}, is_local);
  EXPECT_TRUE(only6.has_family(false));
  EXPECT_FALSE(only6.has_family(true));
  EXPECT_TRUE(Stale({}, {}, is_local).empty());
}

}  // namespace
}  // namespace heddle::conntrack
