#include "netd/ipam/layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heddle::ipam {
namespace {

using testing::HasSubstr;

Prefix p(const char* text) {
  return *Prefix::parse(text);
}
IpAddr a(const char* text) {
  return *IpAddr::parse(text);
}
std::string refusal(const Layout& layout) {
  const auto made = lay_out(layout);
  return made ? "" : made.error().text();
}

TEST(LayOut, GivesEachSubnetWhatItContainsAndPutsIPv4First) {
  const auto made = lay_out({.subnets = {p("fd00:1::/64"), p("10.1.0.0/16"), p("10.2.0.0/24")},
                             .gateways = {a("10.2.0.254"), a("fd00:1::5")},
                             .ranges = {p("10.1.128.0/17")},
                             .reserved = {{"router", a("10.1.0.9")}, {"nas", a("fd00:1::9")}}});
  ASSERT_TRUE(made) << made.error().text();
  const std::vector<model::Subnet> expected{
      {p("10.1.0.0/16"), {}, p("10.1.128.0/17"), {{"router", a("10.1.0.9")}}},
      {p("10.2.0.0/24"), a("10.2.0.254"), {}, {}},
      {p("fd00:1::/64"), a("fd00:1::5"), {}, {{"nas", a("fd00:1::9")}}}};
  EXPECT_EQ(*made, expected);
}

TEST(LayOut, NamesWhatContradicts) {
  const std::vector<Prefix> one{p("10.1.0.0/24")};
  EXPECT_EQ(refusal({.subnets = {p("10.1.0.0/24"), p("10.1.0.0/24")}}),
            "subnet 10.1.0.0/24 is given twice");
  EXPECT_EQ(refusal({.subnets = {p("10.0.0.0/8"), p("10.1.0.0/24")}}),
            "subnets 10.0.0.0/8 and 10.1.0.0/24 overlap");
  EXPECT_EQ(refusal({.subnets = one, .gateways = {a("10.2.0.1")}}),
            "gateway 10.2.0.1 is in none of the network's subnets (10.1.0.0/24)");
  EXPECT_EQ(refusal({.gateways = {a("10.2.0.1")}}),
            "gateway 10.2.0.1 is in none of the network's subnets (none is given)");
  EXPECT_THAT(refusal({.subnets = one, .gateways = {a("10.1.0.1"), a("10.1.0.2")}}),
              HasSubstr("has gateway 10.1.0.1 already"));
  EXPECT_THAT(refusal({.subnets = one, .gateways = {a("10.1.0.255")}}),
              HasSubstr("first or last address of 10.1.0.0/24"));
  EXPECT_THAT(refusal({.subnets = one, .ranges = {p("10.1.0.0/23")}}), HasSubstr("is in none"));
  EXPECT_THAT(refusal({.subnets = one, .ranges = {p("10.1.0.0/25"), p("10.1.0.128/25")}}),
              HasSubstr("gets a range already (10.1.0.0/25)"));
  EXPECT_THAT(refusal({.subnets = one, .reserved = {{"x", a("10.1.0.0")}}}),
              HasSubstr("first or last"));
  EXPECT_THAT(
      refusal({.subnets = one, .gateways = {a("10.1.0.1")}, .reserved = {{"x", a("10.1.0.1")}}}),
      HasSubstr("is the gateway"));
  EXPECT_THAT(refusal({.subnets = one, .reserved = {{"x", a("10.1.0.5")}, {"y", a("10.1.0.5")}}}),
              HasSubstr("reserved as x already"));
  EXPECT_THAT(refusal({.subnets = one, .reserved = {{"", a("10.1.0.5")}}}),
              HasSubstr("needs a name"));
}

const std::vector<model::Subnet> kPresent{{p("10.1.0.0/24"), a("10.1.0.1"), {}, {}}};

TEST(LayOutUpdate, GrowsASubnetAndAddsOthers) {
  const auto made = lay_out_update(
      kPresent, {.subnets = {p("fd00::/64"), p("10.1.0.0/20"), p("10.9.0.0/24")}}, {});
  ASSERT_TRUE(made) << made.error().text();
  const std::vector<model::Subnet> expected{{p("10.1.0.0/20"), a("10.1.0.1"), {}, {}},
                                            {p("10.9.0.0/24"), {}, {}, {}},
                                            {p("fd00::/64"), {}, {}, {}}};
  EXPECT_EQ(*made, expected);
}

TEST(LayOutUpdate, RefusesWhatWouldTakeAddressesAway) {
  const auto text = [](const Layout& added, const std::map<IpAddr, std::string>& used = {}) {
    const auto made = lay_out_update(kPresent, added, used);
    return made ? "" : made.error().text();
  };
  EXPECT_THAT(text({.subnets = {p("10.1.0.0/25")}}), HasSubstr("to grow that, give a shorter"));
  EXPECT_THAT(text({.subnets = {p("10.0.0.0/8")}}),
              HasSubstr("overlaps the network's 10.1.0.0/24"));
  EXPECT_THAT(text({.subnets = {p("10.1.0.0/24")}}), HasSubstr("already"));
  EXPECT_THAT(text({.gateways = {a("10.1.0.2")}}), HasSubstr("has gateway 10.1.0.1 already"));
  EXPECT_EQ(text({.reserved = {{"nas", a("10.1.0.7")}}}, {{a("10.1.0.7"), "c1"}}),
            "reserved address nas=10.1.0.7 is in use by c1");
  EXPECT_EQ(text({.reserved = {{"nas", a("10.1.0.8")}}}, {{a("10.1.0.7"), "c1"}}), "");
}

TEST(DefaultGateway, IsTheFirstAddressThatIsNotReserved) {
  EXPECT_EQ(default_gateway({p("10.40.0.0/20"), {}, {}, {}}), a("10.40.0.1"));
  EXPECT_EQ(default_gateway({p("fd00::/64"), {}, {}, {}}), a("fd00::1"));
  EXPECT_EQ(default_gateway({p("10.40.0.0/20"), {}, {}, {{"r", a("10.40.0.1")}}}), a("10.40.0.2"));
}

TEST(CountFree, LeavesOutWhatNobodyGets) {
  const model::Subnet v4{p("10.1.0.0/24"), a("10.1.0.1"), {}, {{"nas", a("10.1.0.9")}}};
  // Of 256: first, last, gateway, reserved, one in use.
  EXPECT_EQ(count_free(v4, {v4.prefix}, {a("10.1.0.5")}), 251u);
  EXPECT_EQ(count_free(v4, {p("10.1.0.128/25")}, {a("10.1.0.5"), a("10.1.0.200")}), 126u);
  EXPECT_EQ(count_free(v4, {}, {}), 0u);
  const model::Subnet v6{p("fd00::/64"), a("fd00::1"), {}, {}};
  EXPECT_EQ(count_free(v6, {v6.prefix}, {}), std::uint64_t{1} << 63);
  EXPECT_EQ(count_free(v6, {p("fd00::/120")}, {a("fd00::2")}), 253u);
}

}  // namespace
}  // namespace heddle::ipam
