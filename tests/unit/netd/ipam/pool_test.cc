#include "netd/ipam/pool.h"

#include <gtest/gtest.h>

#include <set>

namespace heddle::ipam {
namespace {

using std::chrono::seconds;

model::Subnet subnet(const char* prefix, const char* gateway) {
  return {*Prefix::parse(prefix), *IpAddr::parse(gateway)};
}
IpAddr ip(const char* text) {
  return *IpAddr::parse(text);
}
Prefix block(const char* text) {
  return *Prefix::parse(text);
}

const Pool::Now kNow{std::chrono::hours(1)};

TEST(Pool, AssignsUpwardsAndSkipsTheGateway) {
  Pool pool(subnet("10.40.0.0/29", "10.40.0.2"), Pool::Extent::subnet);
  EXPECT_EQ(pool.free(kNow), 5u);
  EXPECT_EQ(pool.allocate("a", kNow)->format(), "10.40.0.1");
  EXPECT_EQ(pool.allocate("b", kNow)->format(), "10.40.0.3");
  EXPECT_EQ(pool.used(), 2u);
  EXPECT_EQ(*pool.holder_of(ip("10.40.0.3")), "b");
  EXPECT_EQ(pool.holder_of(ip("10.40.0.4")), nullptr);
}

TEST(Pool, DoesNotHandAFreedAddressOutNextEvenWithoutQuarantine) {
  Pool pool(subnet("10.40.0.0/29", "10.40.0.1"), Pool::Extent::subnet, seconds(0));
  const IpAddr first = *pool.allocate("a", kNow);
  pool.release(first, kNow);
  EXPECT_NE(*pool.allocate("b", kNow), first);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(pool.allocate("c", kNow));
  EXPECT_EQ(*pool.allocate("d", kNow), first) << "the search goes round";
}

TEST(Pool, QuarantineHoldsUntilItsEndAndNotLonger) {
  Pool pool(subnet("10.40.0.0/30", "10.40.0.1"), Pool::Extent::subnet, seconds(30));
  const IpAddr only = *pool.allocate("a", kNow);
  pool.release(only, kNow);
  EXPECT_EQ(pool.free(kNow + seconds(29)), 0u);
  const auto early = pool.allocate("b", kNow + seconds(29));
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code(), Errc::exhausted);
  EXPECT_NE(early.error().text().find("1 released less than 30 s ago"), std::string::npos);
  EXPECT_EQ(pool.free(kNow + seconds(30)), 1u);
  EXPECT_EQ(*pool.allocate("b", kNow + seconds(30)), only);
}

TEST(Pool, AnAddressReleasedTwiceRestsFromTheLastRelease) {
  Pool pool(subnet("10.40.0.0/30", "10.40.0.1"), Pool::Extent::subnet, seconds(30));
  const IpAddr only = *pool.allocate("a", kNow);
  pool.release(only, kNow);
  ASSERT_TRUE(pool.allocate(only, "b", kNow + seconds(10))) << "by name it may be had at once";
  pool.release(only, kNow + seconds(20));
  EXPECT_FALSE(pool.allocate("c", kNow + seconds(35)));
  EXPECT_TRUE(pool.allocate("c", kNow + seconds(50)));
}

TEST(Pool, SaysPreciselyWhyAnAddressCannotBeHad) {
  Pool pool(subnet("10.40.0.0/24", "10.40.0.1"), Pool::Extent::subnet);
  ASSERT_TRUE(pool.allocate(ip("10.40.0.9"), "c1", kNow));
  const auto refused = [&](const char* address) {
    const auto result = pool.allocate(ip(address), "c2", kNow);
    return result ? std::string("allocated") : result.error().text();
  };
  EXPECT_EQ(refused("10.41.0.5"), "address 10.41.0.5 is outside the subnet 10.40.0.0/24");
  EXPECT_EQ(refused("fd00::5"), "address fd00::5 is outside the subnet 10.40.0.0/24");
  EXPECT_EQ(refused("10.40.0.0"), "address 10.40.0.0 is the network address of 10.40.0.0/24");
  EXPECT_EQ(refused("10.40.0.255"), "address 10.40.0.255 is the broadcast address of 10.40.0.0/24");
  EXPECT_EQ(refused("10.40.0.1"), "address 10.40.0.1 is the gateway of 10.40.0.0/24");
  EXPECT_EQ(refused("10.40.0.9"), "address 10.40.0.9 is in use by c1");
}

TEST(Pool, AssignsOnlyFromItsBlocks) {
  Pool pool(subnet("10.40.0.0/20", "10.40.0.1"), Pool::Extent::blocks);
  EXPECT_EQ(pool.allocate("a", kNow).error().code(), Errc::exhausted);
  pool.set_blocks({block("10.40.4.0/30"), block("10.40.2.7/32"), block("10.40.0.0/30"),
                   block("10.40.4.0/31"), block("192.0.2.0/24")});
  EXPECT_EQ(pool.free(kNow), 2u + 1u + 4u);
  std::set<std::string> got;
  for (int i = 0; i < 7; ++i) got.insert(pool.allocate("a", kNow)->format());
  EXPECT_EQ(got, (std::set<std::string>{"10.40.0.2", "10.40.0.3", "10.40.2.7", "10.40.4.0",
                                        "10.40.4.1", "10.40.4.2", "10.40.4.3"}));
  EXPECT_EQ(pool.free(kNow), 0u);
  EXPECT_FALSE(pool.allocate("a", kNow));
  const auto other = pool.allocate(ip("10.40.8.1"), "a", kNow);
  EXPECT_EQ(other.error().code(), Errc::denied);
}

TEST(Pool, ClaimsWhatTheStoreHoldsAndRefusesASecondHolder) {
  Pool pool(subnet("10.40.0.0/24", "10.40.0.1"), Pool::Extent::blocks);
  EXPECT_TRUE(pool.claim(ip("10.40.0.9"), "c1")) << "outside the blocks, but a fact";
  EXPECT_TRUE(pool.claim(ip("10.40.0.9"), "c1"));
  const auto second = pool.claim(ip("10.40.0.9"), "c2");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Errc::exists);
  EXPECT_EQ(pool.claim(ip("10.50.0.9"), "c1").error().code(), Errc::invalid);
  pool.release(ip("10.40.0.9"), kNow);
  EXPECT_EQ(pool.used(), 0u);
}

TEST(Pool, TakesIpv6AndLeavesTheAnycastAddressOut) {
  Pool pool(subnet("fd00:0:0:7::/64", "fd00:0:0:7::1"), Pool::Extent::subnet);
  EXPECT_EQ(pool.free(kNow), std::uint64_t{1} << 63) << "as many as are counted";
  EXPECT_EQ(pool.allocate("a", kNow)->format(), "fd00:0:0:7::2");
  EXPECT_EQ(pool.allocate("b", kNow)->format(), "fd00:0:0:7::3");
  ASSERT_TRUE(pool.allocate(ip("fd00:0:0:7:ffff:ffff:ffff:ffff"), "c", kNow)) << "no broadcast";
  const auto refused = [&](const char* address) {
    const auto result = pool.allocate(ip(address), "d", kNow);
    return result ? std::string("allocated") : result.error().text();
  };
  EXPECT_EQ(refused("fd00:0:0:7::"),
            "address fd00:0:0:7:: is the subnet-router anycast address of fd00:0:0:7::/64");
  EXPECT_EQ(refused("fd00:0:0:7::1"), "address fd00:0:0:7::1 is the gateway of fd00:0:0:7::/64");
  EXPECT_EQ(refused("fd00:0:0:7::2"), "address fd00:0:0:7::2 is in use by a");
  EXPECT_EQ(refused("fd00:0:0:8::2"),
            "address fd00:0:0:8::2 is outside the subnet fd00:0:0:7::/64");
}

TEST(Pool, GoesRoundAtTheEndOfTheFamily) {
  Pool pool(subnet("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffc/126",
                   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffd"),
            Pool::Extent::subnet, seconds(0));
  const IpAddr first = *pool.allocate("a", kNow);
  const IpAddr last = *pool.allocate("b", kNow);
  EXPECT_EQ(last.format(), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
  EXPECT_FALSE(pool.allocate("c", kNow));
  pool.release(first, kNow);
  EXPECT_EQ(*pool.allocate("c", kNow), first);
}

TEST(Pool, APointToPointSubnetHasTwoAddresses) {
  for (const char* prefix : {"10.40.0.0/31", "fd00::/127"}) {
    Pool pool({*Prefix::parse(prefix), ip("0.0.0.0")}, Pool::Extent::subnet);
    EXPECT_EQ(pool.free(kNow), 2u) << prefix;
    EXPECT_TRUE(pool.allocate("a", kNow));
    EXPECT_TRUE(pool.allocate("b", kNow));
    EXPECT_FALSE(pool.allocate("c", kNow));
  }
}

TEST(Pool, ChoosesInItsRangeAndGivesOthersByName) {
  model::Subnet blue = subnet("10.0.0.0/8", "10.0.0.1");
  blue.range = block("10.7.7.8/30");
  blue.reserved = {{"printer", ip("10.7.7.9")}, {"router", ip("10.0.0.254")}};
  Pool pool(blue, Pool::Extent::subnet);
  EXPECT_EQ(pool.free(kNow), 3u);
  EXPECT_EQ(pool.allocate("a", kNow)->format(), "10.7.7.8");
  EXPECT_EQ(pool.allocate("b", kNow)->format(), "10.7.7.10");
  EXPECT_EQ(pool.allocate("c", kNow)->format(), "10.7.7.11");
  EXPECT_EQ(pool.allocate("d", kNow).error().text(),
            "no free address in 10.0.0.0/8 (range 10.7.7.8/30): 3 in use; disconnect workloads or "
            "use a larger subnet");
  EXPECT_TRUE(pool.allocate(ip("10.200.1.1"), "d", kNow));
  EXPECT_EQ(pool.allocate(ip("10.0.0.254"), "d", kNow).error().text(),
            "address 10.0.0.254 is reserved for 'router' in 10.0.0.0/8");
}

TEST(Pool, GivingBackIsAsIfItHadNotBeenTaken) {
  Pool pool(subnet("10.40.0.0/30", "10.40.0.1"), Pool::Extent::subnet, seconds(30));
  const IpAddr only = *pool.allocate("a", kNow);
  pool.give_back(only);
  EXPECT_EQ(*pool.allocate("b", kNow), only) << "no quarantine";
  pool.release(only, kNow);
  ASSERT_TRUE(pool.allocate(only, "c", kNow + seconds(10)));
  pool.give_back(only);
  EXPECT_FALSE(pool.allocate("d", kNow + seconds(29))) << "it rests on";
  EXPECT_EQ(*pool.allocate("d", kNow + seconds(30)), only);
}

TEST(Pool, GrowsWithItsHoldersInPlace) {
  Pool pool(subnet("10.40.0.0/30", "10.40.0.1"), Pool::Extent::subnet);
  ASSERT_EQ(pool.allocate("a", kNow)->format(), "10.40.0.2");
  ASSERT_FALSE(pool.allocate("b", kNow));
  pool.set_subnet(subnet("10.40.0.0/28", "10.40.0.1"));
  EXPECT_EQ(*pool.holder_of(ip("10.40.0.2")), "a");
  EXPECT_EQ(pool.allocate("b", kNow)->format(), "10.40.0.3") << "once the broadcast address";
  EXPECT_EQ(pool.free(kNow), 16u - 3 - 2);
  EXPECT_EQ(pool.allocate(ip("10.40.0.15"), "c", kNow).error().code(), Errc::invalid);
}

TEST(Pool, WhatTheStoreSaysWasReleasedRests) {
  Pool pool(subnet("10.40.0.0/30", "10.40.0.1"), Pool::Extent::subnet);
  pool.rest(ip("10.40.0.2"), kNow + seconds(7));
  pool.rest(ip("192.0.2.1"), kNow + seconds(7));
  EXPECT_FALSE(pool.allocate("a", kNow + seconds(6)));
  EXPECT_TRUE(pool.allocate("a", kNow + seconds(7)));
  pool.clear();
  EXPECT_EQ(pool.used(), 0u);
  EXPECT_TRUE(pool.allocate("b", kNow));
}

TEST(Pool, GivesTenThousandDistinctAddresses) {
  Pool pool(subnet("10.40.0.0/18", "10.40.0.1"), Pool::Extent::subnet);
  std::set<IpAddr> seen;
  for (int i = 0; i < 10'000; ++i) {
    const auto address = pool.allocate("c", kNow);
    ASSERT_TRUE(address);
    ASSERT_TRUE(seen.insert(*address).second);
  }
  for (const IpAddr& address : seen) pool.release(address, kNow);
  EXPECT_EQ(pool.used(), 0u);
  EXPECT_EQ(pool.free(kNow), 16384u - 3 - 10'000);
  for (int i = 0; i < 16384 - 3 - 10'000; ++i) ASSERT_TRUE(pool.allocate("c", kNow));
  EXPECT_FALSE(pool.allocate("c", kNow));
}

}  // namespace
}  // namespace heddle::ipam
