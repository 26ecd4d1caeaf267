#include "netd/ipam/network_pools.h"

#include <gtest/gtest.h>

namespace heddle::ipam {
namespace {

model::Subnet subnet(const char* prefix, const char* gateway) {
  return {*Prefix::parse(prefix), *IpAddr::parse(gateway), {}, {}};
}
IpAddr ip(const char* text) {
  return *IpAddr::parse(text);
}
const Pool::Now kNow{std::chrono::hours(1)};

NetworkPools dual() {
  NetworkPools pools(Pool::Extent::subnet);
  pools.set({subnet("10.1.0.0/30", "10.1.0.1"), subnet("10.2.0.0/30", "10.2.0.1"),
             subnet("fd00::/64", "fd00::1")},
            {});
  return pools;
}

TEST(NetworkPools, ChooseFromTheFirstSubnetWithRoom) {
  NetworkPools pools = dual();
  EXPECT_EQ(pools.allocate(Family::v4, "a", kNow)->format(), "10.1.0.2");
  EXPECT_EQ(pools.allocate(Family::v4, "b", kNow)->format(), "10.2.0.2");
  EXPECT_EQ(pools.allocate(Family::v6, "b", kNow)->format(), "fd00::2");
  const auto full = pools.allocate(Family::v4, "c", kNow);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code(), Errc::exhausted);
  EXPECT_TRUE(full.error().text().contains("10.1.0.0/30")) << full.error().text();
  EXPECT_TRUE(full.error().text().contains("10.2.0.0/30")) << full.error().text();
}

TEST(NetworkPools, NameTheSubnetsThatAnAddressIsOutsideOf) {
  NetworkPools pools = dual();
  EXPECT_EQ(pools.allocate(ip("10.3.0.2"), "a", kNow).error().text(),
            "address 10.3.0.2 is outside the subnets 10.1.0.0/30, 10.2.0.0/30");
  EXPECT_EQ(pools.allocate(ip("fd01::2"), "a", kNow).error().text(),
            "address fd01::2 is outside the subnet fd00::/64");
  NetworkPools only4(Pool::Extent::subnet);
  only4.set({subnet("10.1.0.0/30", "10.1.0.1")}, {});
  EXPECT_EQ(only4.allocate(ip("fd01::2"), "a", kNow).error().text(),
            "address fd01::2 cannot be had: the network has no IPv6 subnet");
  EXPECT_EQ(only4.allocate(Family::v6, "a", kNow).error().code(), Errc::invalid);
  EXPECT_TRUE(only4.has(Family::v4));
  EXPECT_FALSE(only4.has(Family::v6));
}

TEST(NetworkPools, KeepHoldersWhenASubnetGrowsAndOthersComeAndGo) {
  NetworkPools pools = dual();
  ASSERT_TRUE(pools.allocate(ip("10.2.0.2"), "a", kNow));
  ASSERT_TRUE(pools.allocate(ip("10.1.0.2"), "gone", kNow));
  pools.set({subnet("10.2.0.0/29", "10.2.0.1"), subnet("10.9.0.0/30", "10.9.0.1")}, {});
  EXPECT_EQ(pools.allocate(ip("10.2.0.2"), "b", kNow).error().text(),
            "address 10.2.0.2 is in use by a");
  EXPECT_EQ(pools.allocate(Family::v4, "b", kNow)->format(), "10.2.0.3");
  EXPECT_FALSE(pools.has(Family::v6));
}

TEST(Lease, GivesBackWhatWasNotKept) {
  NetworkPools pools = dual();
  {
    Lease lease(pools);
    ASSERT_EQ(lease.take(Family::v4, "a", kNow)->format(), "10.1.0.2");
    ASSERT_TRUE(lease.take(ip("fd00::9"), "a", kNow));
  }
  EXPECT_TRUE(pools.allocate(ip("10.1.0.2"), "b", kNow));
  {
    Lease lease(pools);
    ASSERT_TRUE(lease.take(ip("fd00::9"), "c", kNow));
    lease.keep();
  }
  EXPECT_EQ(pools.allocate(ip("fd00::9"), "d", kNow).error().text(),
            "address fd00::9 is in use by c");
}

}  // namespace
}  // namespace heddle::ipam
