#include "dataplane/nft/ruleset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heddle::nft {
namespace {

using dataplane::Masquerade;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Prefix range(const char* text) {
  return Prefix::parse(text).value();
}

const Masquerade kBridge{range("10.1.0.0/20"), "br0"};

constexpr const char* kTable = R"({"table":{"family":"inet","name":"heddle","handle":2}})";
constexpr const char* kChain =
    R"({"chain":{"family":"inet","table":"heddle","name":"postrouting","handle":1,"type":"nat",)"
    R"("hook":"postrouting","prio":100,"policy":"accept"}})";
constexpr const char* kRule =
    R"({"rule":{"family":"inet","table":"heddle","chain":"postrouting","handle":2,"comment":"x",)"
    R"("expr":[{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},)"
    R"("right":{"prefix":{"addr":"10.1.0.0","len":20}}}},)"
    R"({"match":{"op":"!=","left":{"payload":{"protocol":"ip","field":"daddr"}},)"
    R"("right":{"prefix":{"addr":"10.1.0.0","len":20}}}},)"
    R"({"match":{"op":"!=","left":{"meta":{"key":"oifname"}},"right":"br0"}},)"
    R"({"counter":{"packets":3,"bytes":252}},{"masquerade":null}]}})";

std::string listing(std::initializer_list<std::string> items) {
  std::string text = R"({"nftables":[{"metainfo":{"version":"1.0.6","json_schema_version":1}})";
  for (const std::string& item : items) text += "," + item;
  return text + "]}";
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Replacement, IsOneTransactionThatDropsWhateverWasThere) {
  const std::string text = replacement("heddle", {kBridge});
  EXPECT_THAT(text, ::testing::StartsWith("add table inet heddle\ndelete table inet heddle\n"));
  EXPECT_THAT(text, HasSubstr("type nat hook postrouting priority 100; policy accept;"));
  EXPECT_THAT(text, HasSubstr("ip saddr 10.1.0.0/20 ip daddr != 10.1.0.0/20 oifname != \"br0\" "
                              "counter masquerade comment \"what leaves 10.1.0.0/20\"\n"));
}

TEST(Replacement, OfNothingLeavesNoTable) {
  EXPECT_EQ(replacement("heddle", {}), "add table inet heddle\ndelete table inet heddle\n");
}

TEST(Replacement, KnowsBothFamiliesAndNoDevice) {
  EXPECT_THAT(replacement("heddle", {{range("fd00::/64"), ""}}),
              HasSubstr("ip6 saddr fd00::/64 ip6 daddr != fd00::/64 counter"));
}

TEST(Validate, RefusesWhatNftWouldReadDifferently) {
  EXPECT_TRUE(validate("heddle_a1", {kBridge, {range("10.0.0.0/8"), ""}}));
  for (const char* table : {"", "1st", "a b", "a;flush ruleset", "a{"}) {
    EXPECT_EQ(validate(table, {}).error().code(), Errc::invalid) << table;
  }
  for (const char* device : {"br0\"", "br 0", "br0;", "a-name-of-sixteen"}) {
    EXPECT_EQ(validate("heddle", {{range("10.0.0.0/8"), device}}).error().code(), Errc::invalid);
  }
  EXPECT_EQ(validate("heddle", {{Prefix(), ""}}).error().code(), Errc::invalid);
}

TEST(ParseListing, OurRuleIsReadBackWhateverItsHandleCounterAndComment) {
  EXPECT_THAT(parse_listing(listing({kTable, kChain, kRule})).value(), ElementsAre(kBridge));
}

TEST(ParseListing, AWholeAddressStandsAlone) {
  const std::string prefix = R"({"prefix":{"addr":"10.1.0.0","len":20}})";
  const auto rule = replaced(replaced(kRule, prefix, R"("10.1.0.7")"), prefix, R"("10.1.0.7")");
  EXPECT_THAT(parse_listing(listing({kTable, kChain, rule})).value(),
              ElementsAre(Masquerade{range("10.1.0.7/32"), "br0"}));
}

TEST(ParseListing, EveryChangeByHandShows) {
  const std::initializer_list<std::pair<const char*, std::string>> changed{
      {"another operator", replaced(kRule, R"("op":"==")", R"("op":"!=")")},
      {"another destination",
       replaced(kRule, R"("field":"daddr"}},"right":{"prefix":{"addr":"10.1)",
                R"("field":"daddr"}},"right":{"prefix":{"addr":"10.2)")},
      {"a verdict", replaced(kRule, R"("masquerade":null)", R"("accept":null)")},
      {"flags", replaced(kRule, R"("masquerade":null)", R"("masquerade":{"flags":"random"})")},
      {"another hook", replaced(kRule, R"("field":"saddr")", R"("field":"ttl")")},
      {"another chain", replaced(kRule, R"("chain":"postrouting")", R"("chain":"mine")")},
      {"host bits", replaced(kRule, "10.1.0.0", "10.1.0.1")},
      {"a length", replaced(kRule, R"("len":20)", R"("len":200)")},
      {"no expression", R"({"rule":{"chain":"postrouting","handle":9}})"},
  };
  for (const auto& [what, rule] : changed) {
    EXPECT_THAT(parse_listing(listing({kTable, kChain, rule})).value(), ElementsAre(altered()))
        << what;
  }
}

TEST(ParseListing, AnAlteredTableOrChainShows) {
  const auto seen = [](std::initializer_list<std::string> items) {
    return parse_listing(listing(items)).value();
  };
  EXPECT_TRUE(seen({kTable, kRule}).contains(altered())) << "no chain";
  EXPECT_TRUE(seen({kTable, kChain}).contains(altered())) << "no rule";
  EXPECT_TRUE(seen({kTable}).contains(altered())) << "an empty table";
  EXPECT_TRUE(seen({kTable, replaced(kChain, "100", "99"), kRule}).contains(altered()));
  EXPECT_TRUE(seen({kTable, replaced(kChain, "accept", "drop"), kRule}).contains(altered()));
  EXPECT_TRUE(seen({replaced(kTable, R"("handle":2)", R"("flags":"dormant")"), kChain, kRule})
                  .contains(altered()));
  EXPECT_TRUE(seen({kTable, kChain, kRule, R"({"set":{"name":"s"}})"}).contains(altered()));
}

TEST(ParseListing, WhatIsNoListingIsRefused) {
  for (const char* text : {"", "{", "[]", "{}", R"({"nftables":3})", "null", "\xff\xfe"}) {
    EXPECT_EQ(parse_listing(text).error().code(), Errc::internal) << text;
  }
}

TEST(ParseListing, OddItemsAreAlterationsNotCrashes) {
  EXPECT_THAT(parse_listing(R"({"nftables":[1,null,"x",[],{"rule":7},{"chain":[]}]})").value(),
              ElementsAre(altered()));
}

}  // namespace
}  // namespace heddle::nft
