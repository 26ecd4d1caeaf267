#include "common/net/ip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/net/link.h"

namespace heddle {
namespace {

TEST(IpAddr, RoundTripsBothFamilies) {
  for (const char* text : {"0.0.0.0", "10.32.0.5", "255.255.255.255", "::", "::1", "fd00::a:1"}) {
    EXPECT_EQ(IpAddr::parse(text)->format(), text);
  }
}

TEST(IpAddr, RefusesWhatOnlyLooksLikeAnAddress) {
  for (const auto text : {"", "10.0.0", "010.0.0.1", "1.2.3.4/8", "::1%lo", " ::1"}) {
    const auto parsed = IpAddr::parse(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().code(), Errc::invalid);
  }
}

TEST(IpAddr, RefusesAnEmbeddedNul) {
  EXPECT_FALSE(IpAddr::parse(std::string_view("10.0.0.1\0x", 10)).has_value());
}

TEST(IpAddr, KnowsMappedAddresses) {
  EXPECT_EQ(IpAddr::parse("::ffff:10.0.0.1")->unmapped(), IpAddr::v4(0x0a000001));
  EXPECT_EQ(IpAddr::parse("::fffe:10.0.0.1")->unmapped().is_v4(), false);
}

TEST(Prefix, RefusesHostBitsAndNamesTheRange) {
  const auto parsed = Prefix::parse("10.40.0.1/20");
  ASSERT_FALSE(parsed.has_value());
  EXPECT_THAT(parsed.error().text(), testing::HasSubstr("10.40.0.0/20"));
}

TEST(Prefix, RefusesBadLengths) {
  for (const char* text :
       {"10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0.0", "10.0.0.0/08", "::/129"}) {
    EXPECT_FALSE(Prefix::parse(text).has_value()) << text;
  }
}

TEST(Prefix, OverlapIsSymmetricAndFamilyAware) {
  const Prefix wide = *Prefix::parse("10.32.0.0/11");
  const Prefix narrow = *Prefix::parse("10.40.0.0/20");
  EXPECT_TRUE(wide.overlaps(narrow));
  EXPECT_TRUE(narrow.overlaps(wide));
  EXPECT_FALSE(narrow.overlaps(*Prefix::parse("10.40.16.0/20")));
  EXPECT_FALSE(Prefix::parse("::/0")->overlaps(*Prefix::parse("0.0.0.0/0")));
  EXPECT_TRUE(Prefix::parse("0.0.0.0/0")->contains(narrow));
}

TEST(Prefix, AddressesByOffset) {
  const Prefix p = *Prefix::parse("10.40.0.0/20");
  EXPECT_EQ(p.size(), 4096u);
  EXPECT_EQ(p.at(4095).format(), "10.40.15.255");
}

TEST(IfAddr, KeepsHostBits) {
  const IfAddr a = *IfAddr::parse("10.40.0.7/20");
  EXPECT_EQ(a.format(), "10.40.0.7/20");
  EXPECT_EQ(a.prefix().format(), "10.40.0.0/20");
}

TEST(SocketAddr, BracketsBelongToIpv6Only) {
  EXPECT_EQ(SocketAddr::parse("[::1]:80")->format(), "[::1]:80");
  EXPECT_EQ(SocketAddr::parse("10.0.0.1:65535")->port, 65535);
  for (const char* text : {"::1:80x", "[10.0.0.1]:80", "10.0.0.1", "10.0.0.1:", "10.0.0.1:65536"}) {
    EXPECT_FALSE(SocketAddr::parse(text).has_value()) << text;
  }
}

TEST(Mac, RoundTripsAndRefuses) {
  EXPECT_EQ(Mac::parse("02:42:0A:00:00:05")->format(), "02:42:0a:00:00:05");
  for (const char* text : {"", "02:42:0a:00:00", "02-42-0a-00-00-05", "02:42:0a:00:00:0g"}) {
    EXPECT_FALSE(Mac::parse(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace heddle
