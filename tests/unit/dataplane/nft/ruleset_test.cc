#include "dataplane/nft/ruleset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heddle::nft {
namespace {

using dataplane::Protocol;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Prefix range(const char* text) {
  return Prefix::parse(text).value();
}
IpAddr ip(const char* text) {
  return IpAddr::parse(text).value();
}

Networks example() {
  return {.masquerades = {{range("10.1.0.0/20"), "br0"}, {range("fd00::/64"), ""}},
          .rules = {{.device = "br0", .subnets = {range("10.1.0.0/20"), range("fd00:1::/64")}},
                    {.device = "br1", .subnets = {range("10.2.0.7/32")}, .inbound = true},
                    {.device = "vx0", .subnets = {range("10.40.0.0/20")}, .outbound = false},
                    {.device = "vx0", .subnets = {range("10.41.0.0/20")}}}};
}

TEST(Elements, AreReadBackAsTheyWereWritten) {
  const Read back = read(elements_of(example()));
  EXPECT_EQ(back.networks, example());
  EXPECT_THAT(back.remarks, IsEmpty());
  EXPECT_THAT(elements_of({}), IsEmpty());
  EXPECT_EQ(read({}).networks, Networks());
}

TEST(Elements, OfADeviceThatNetworksShareAreNone) {
  const Elements all = elements_of(example());
  EXPECT_THAT(all.at("links"),
              Not(Contains(::testing::Field(&Element::parts, ElementsAre("vx0")))));
  EXPECT_THAT(all.at("links"), Contains(::testing::Field(&Element::parts, ElementsAre("br0"))));
}

TEST(Elements, ChangedByHandAreNamed) {
  const auto remarks = [](auto change) {
    Elements elements = elements_of(example());
    change(elements);
    return read(elements).remarks;
  };
  EXPECT_THAT(remarks([](Elements& all) { all.erase("closed4"); }),
              ElementsAre(HasSubstr("closed4 lacks 10.1.0.0/20")));
  EXPECT_THAT(remarks([](Elements& all) { all["internal6"].insert({{"fd99::/64"}, ""}); }),
              ElementsAre("set internal6: foreign element fd99::/64"));
  EXPECT_THAT(remarks([](Elements& all) { all["inside_links"].insert({{"br0", "br1"}, ""}); }),
              ElementsAre("set inside_links: foreign element \"br0\" . \"br1\""));
  EXPECT_THAT(remarks([](Elements& all) { all.erase("within6"); }),
              ElementsAre("set within6 lacks fd00::/64 . fd00::/64"));
}

TEST(Update, LeavesTheMapsOfPublishedPorts) {
  const std::string text = update("heddle", example());
  EXPECT_THAT(text, Not(HasSubstr("delete table")));
  EXPECT_THAT(text, Not(HasSubstr("flush set inet heddle published4")));
  EXPECT_THAT(text, Not(HasSubstr("flush set inet heddle anywhere6")));
  EXPECT_THAT(text, HasSubstr("flush set inet heddle closed4\n"));
  EXPECT_THAT(text, HasSubstr("flush chain inet heddle forward\n"));
  EXPECT_THAT(text, HasSubstr("add element inet heddle closed4 { 10.1.0.0/20 comment \"br0 1\""));
}

TEST(Update, HasAsManyRulesForOneNetworkAsForAHundred) {
  Networks many;
  for (std::uint32_t i = 0; i < 100; ++i) {
    const Prefix subnet = Prefix::containing(IpAddr::v4(0x0a000000U + (i << 16)), 16);
    many.rules.insert({.device = "br" + std::to_string(i), .subnets = {subnet}});
    many.masquerades.insert({subnet, "br" + std::to_string(i)});
  }
  const auto count = [](const std::string& text) {
    std::size_t found = 0;
    for (std::size_t at = 0; (at = text.find("add rule", at)) != std::string::npos; ++at) ++found;
    return found;
  };
  EXPECT_EQ(count(update("heddle", many)), count(update("heddle", {})));
}

TEST(Replacement, CarriesThePublishedPorts) {
  const Published ports{{{Protocol::tcp, IpAddr(), 80}, {ip("10.1.0.5"), 8080}},
                        {{Protocol::sctp, ip("::1"), 81}, {ip("fd00::5"), 82}}};
  const std::string text = replacement("heddle", {}, ports);
  EXPECT_THAT(text, ::testing::StartsWith("add table inet heddle\ndelete table inet heddle\n"));
  EXPECT_THAT(text,
              HasSubstr("add element inet heddle anywhere4 { tcp . 80 : 10.1.0.5 . 8080 }\n"));
  EXPECT_THAT(text,
              HasSubstr("add element inet heddle published6 { sctp . ::1 . 81 : fd00::5 . 82 }\n"));
}

TEST(Validate, RefusesWhatNftWouldReadDifferently) {
  EXPECT_TRUE(validate("heddle_a1", example()));
  for (const char* table : {"", "1st", "a b", "a;flush ruleset", "a{"}) {
    EXPECT_EQ(validate(table, {}).error().code(), Errc::invalid) << table;
  }
  for (const char* device : {"br0\"", "br 0", "br0;", "br*", "a-name-of-sixteen"}) {
    EXPECT_EQ(validate("heddle", {{{range("10.0.0.0/8"), device}}, {}}).error().code(),
              Errc::invalid);
    EXPECT_EQ(validate("heddle", {{}, {{.device = device}}}).error().code(), Errc::invalid);
  }
}

TEST(Altered, IsNoDeviceThatCouldBe) {
  EXPECT_TRUE(is_altered(altered("chain forward is missing")));
  EXPECT_FALSE(is_altered({.device = "br0"}));
  EXPECT_FALSE(validate("heddle", {{}, {altered("chain forward is missing")}}));
}

}  // namespace
}  // namespace heddle::nft
