#include "netd/ipam/subnet.h"

#include <gtest/gtest.h>

#include <array>

namespace heddle::ipam {
namespace {

Prefix p(const char* text) {
  return *Prefix::parse(text);
}

TEST(ChooseSubnet, TakesTheLowestThatOverlapsNothing) {
  const std::array pools{p("172.20.0.0/14")};
  const std::vector<TakenNetwork> networks{{"a", p("172.20.0.0/20")}, {"b", p("172.20.20.0/24")}};
  const std::vector<HostRoute> routes{{p("172.20.32.0/19"), "tun0"}, {p("0.0.0.0/0"), "eth0"}};
  EXPECT_EQ(choose_subnet(pools, 20, {})->format(), "172.20.0.0/20");
  EXPECT_EQ(choose_subnet(pools, 20, {networks, routes, {}})->format(), "172.20.64.0/20");
}

TEST(ChooseSubnet, GoesOnToTheNextPoolAndSaysWhenAllAreTaken) {
  const std::array pools{p("172.20.0.0/14"), p("10.32.0.0/20")};
  const std::vector<HostRoute> vpn{{p("172.16.0.0/12"), "tun0"}};
  EXPECT_EQ(choose_subnet(pools, 20, {{}, vpn, {}})->format(), "10.32.0.0/20");
  const std::vector<HostRoute> more{{p("172.16.0.0/12"), "tun0"}, {p("10.0.0.0/8"), "tun1"}};
  const auto none = choose_subnet(pools, 20, {{}, more, {}});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), Errc::exhausted);
  EXPECT_NE(none.error().text().find("172.20.0.0/14, 10.32.0.0/20"), std::string::npos);
}

TEST(ChooseSubnet, IgnoresTheHalvesThatReplaceADefaultRoute) {
  const std::array pools{p("10.32.0.0/11")};
  const std::vector<HostRoute> routes{{p("0.0.0.0/1"), "tun0"}, {p("128.0.0.0/1"), "tun0"}};
  EXPECT_EQ(choose_subnet(pools, 20, {{}, routes, {}})->format(), "10.32.0.0/20");
}

TEST(ChooseSubnet, RefusesALengthThatNoPoolHolds) {
  const std::array pools{p("10.32.0.0/24")};
  EXPECT_EQ(choose_subnet(pools, 20, {}).error().code(), Errc::invalid);
  EXPECT_EQ(choose_subnet({}, 20, {}).error().code(), Errc::invalid);
  EXPECT_EQ(choose_subnet(pools, 31, {}).error().code(), Errc::invalid);
}

TEST(ChooseSubnet, FillsItsPoolExactly) {
  const std::array pools{p("10.32.0.0/11")};
  std::vector<TakenNetwork> networks;
  for (int i = 0; i < 512; ++i) {
    const auto next = choose_subnet(pools, 20, {networks, {}, {}});
    ASSERT_TRUE(next);
    networks.push_back({"n", *next});
  }
  EXPECT_EQ(networks.back().prefix.format(), "10.63.240.0/20");
  EXPECT_FALSE(choose_subnet(pools, 20, {networks, {}, {}}));
}

TEST(CheckSubnet, NamesWhatItOverlaps) {
  const std::vector<TakenNetwork> networks{{"blue", p("10.40.0.0/20")}};
  const std::vector<HostRoute> routes{{p("10.0.0.0/8"), "tun0"}};
  EXPECT_EQ(check_subnet(p("10.40.8.0/24"), {networks, {}, {}}).error().text(),
            "subnet 10.40.8.0/24 overlaps network blue (10.40.0.0/20)");
  EXPECT_EQ(check_subnet(p("10.50.0.0/16"), {networks, routes, {}}).error().text(),
            "subnet 10.50.0.0/16 overlaps the host route 10.0.0.0/8 dev tun0");
  EXPECT_TRUE(check_subnet(p("192.168.7.0/24"), {networks, routes, {}}));
}

TEST(CheckSubnet, RefusesRangesThatNoNetworkCanHave) {
  for (const char* text :
       {"127.1.0.0/16", "224.0.0.0/24", "169.254.3.0/24", "0.0.0.0/0", "fe80::/64", "ff02::/64"}) {
    EXPECT_EQ(check_subnet(p(text), {}).error().code(), Errc::invalid) << text;
  }
}

TEST(ChooseSubnet, KeepsClearOfRangesThatAreNeverToBeChosen) {
  const std::array pools{p("172.20.0.0/14")};
  const Taken taken{{}, {}, {p("172.20.0.0/16"), p("fd00::/8")}};
  EXPECT_EQ(choose_subnet(pools, 20, taken)->format(), "172.21.0.0/20");
  EXPECT_TRUE(check_subnet(p("172.20.0.0/20"), taken)) << "asked for by name";
}

TEST(ChooseSubnet, DividesIPv6PoolsAndEndsWithThem) {
  const std::array pools{p("fd12:3456:789a::/62")};
  Taken taken{{{"a", p("fd12:3456:789a::/64")}}, {{p("fd12:3456:789a:2::/80"), "tun0"}}, {}};
  EXPECT_EQ(choose_subnet(pools, 64, taken)->format(), "fd12:3456:789a:1::/64");
  taken.networks.push_back({"b", p("fd12:3456:789a:1::/64")});
  EXPECT_EQ(choose_subnet(pools, 64, taken)->format(), "fd12:3456:789a:3::/64");
  taken.networks.push_back({"c", p("fd12:3456:789a:3::/64")});
  EXPECT_EQ(choose_subnet(pools, 64, taken).error().code(), Errc::exhausted);
}

TEST(ChooseSubnet, TheLastAddressThereIsEndsTheSearch) {
  const std::array pools{p("ffff:ffff:ffff:ffff::/64"), p("255.255.255.0/24")};
  const Taken taken{{{"a", pools[0]}, {"b", pools[1]}}, {}, {}};
  EXPECT_EQ(choose_subnet(pools, 64, taken).error().code(), Errc::exhausted);
  EXPECT_EQ(choose_subnet(pools, 24, taken).error().code(), Errc::exhausted);
}

TEST(CheckSubnet, NamesRoutesOfBothFamilies) {
  const Taken taken{{}, {{p("fd00:5::/32"), "wg0"}, {p("::/1"), "wg0"}}, {}};
  EXPECT_EQ(check_subnet(p("fd00:5:1::/64"), taken).error().text(),
            "subnet fd00:5:1::/64 overlaps the host route fd00:5::/32 dev wg0");
  EXPECT_TRUE(check_subnet(p("fd00:6::/64"), taken));
  EXPECT_EQ(overlapping_route(p("fd00:6::/64"), taken.routes), "");
}

TEST(UniqueLocal, IsTheRangeOfItsGlobalId) {
  EXPECT_EQ(unique_local(0x123456789abcdefull & 0xffffffffff).format(), "fd67:89ab:cdef::/48");
  EXPECT_EQ(unique_local(0).format(), "fd00::/48");
}

}  // namespace
}  // namespace heddle::ipam
