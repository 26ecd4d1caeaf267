#include "netd/ipam/mac.h"

#include <gtest/gtest.h>

#include <set>

namespace heddle::ipam {
namespace {

TEST(MacFor, IsLocallyAdministeredUnicastAndStable) {
  const IpAddr address = *IpAddr::parse("10.40.0.5");
  const Mac mac = mac_for("0123456789abcdef", address);
  EXPECT_EQ(mac, mac_for("0123456789abcdef", address));
  EXPECT_TRUE(mac.format().starts_with("02:48:")) << mac.format();
  EXPECT_FALSE(mac.is_multicast());
  EXPECT_NE(mac, mac_for("fedcba9876543210", address)) << "another network, another MAC";
}

TEST(MacFor, DiffersForEveryAddressOfANetwork) {
  const Prefix subnet = *Prefix::parse("10.40.0.0/20");
  std::set<Mac> seen;
  for (std::uint64_t i = 0; i < subnet.size(); ++i) {
    seen.insert(mac_for("0123456789abcdef", subnet.at(i)));
  }
  EXPECT_EQ(seen.size(), subnet.size());
}

TEST(MacFor, TakesIpv6) {
  EXPECT_NE(mac_for("n", *IpAddr::parse("fd00::1")), mac_for("n", *IpAddr::parse("fd00::2")));
}

}  // namespace
}  // namespace heddle::ipam
