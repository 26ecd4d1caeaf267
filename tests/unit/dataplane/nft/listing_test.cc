#include "dataplane/nft/listing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "dataplane/nft/skeleton.h"

namespace heddle::nft {
namespace {

namespace json = boost::json;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string in_quotes(const std::string& text) {
  return "\"" + text + "\"";
}

std::string list(const std::vector<std::string>& parts) {
  if (parts.size() == 1) return in_quotes(parts.front());
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "[" : ",") + in_quotes(part);
  return text + "]";
}

// A whole table as nft lists it; the kernel's own listing is compared in tests/netns.
std::vector<std::string> items() {
  std::vector<std::string> all{R"({"metainfo":{"version":"1.0.6"}})",
                               R"({"table":{"family":"inet","name":"heddle","handle":2}})"};
  for (const std::string& counter : counters())
    all.push_back(R"({"counter":{"name":)" + in_quotes(counter) + R"(,"packets":3,"bytes":7}})");
  for (const Set& set : sets()) {
    std::string data;
    for (const std::string& part : set.data) data += (data.empty() ? "" : " . ") + part;
    all.push_back((set.data.empty() ? R"({"set":{"name":)" : R"({"map":{"name":)") +
                  in_quotes(set.name) + R"(,"type":)" + list(set.key) +
                  (data.empty() ? "" : R"(,"map":)" + in_quotes(data)) +
                  (set.ranges ? R"(,"flags":["interval"])" : "") + "}}");
  }
  for (const Chain& chain : chains()) {
    all.push_back(R"({"chain":{"name":)" + in_quotes(chain.name) +
                  (chain.hook.empty()
                       ? ""
                       : R"(,"type":)" + in_quotes(chain.type) + R"(,"hook":)" +
                             in_quotes(chain.hook) + R"(,"prio":)" +
                             std::to_string(chain.priority) + R"(,"policy":"accept")") +
                  "}}");
  }
  for (const Rule& rule : rules())
    all.push_back(R"({"rule":{"chain":)" + in_quotes(rule.chain) + R"(,"handle":9,"expr":)" +
                  json::serialize(rule.listed) + "}}");
  return all;
}

Listing parsed(const std::vector<std::string>& all) {
  std::string text;
  for (const std::string& item : all) text += (text.empty() ? "" : ",") + item;
  return parse_listing(R"({"nftables":[)" + text + "]}").value();
}

// The listing with the first item that contains `what` changed.
template <class Change>
Listing changed(const std::string& what, Change change) {
  auto all = items();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all[i].contains(what)) continue;
    change(all, i);
    return parsed(all);
  }
  ADD_FAILURE() << what;
  return {};
}

Listing without(const std::string& what) {
  return changed(what, [](auto& all, std::size_t i) {
    all.erase(all.begin() + static_cast<std::ptrdiff_t>(i));
  });
}

Listing with(const std::string& item) {
  auto all = items();
  all.push_back(item);
  return parsed(all);
}

Listing replaced(const std::string& what, const std::string& from, const std::string& to) {
  return changed(what, [&](auto& all, std::size_t i) {
    const auto at = all[i].find(from);
    EXPECT_NE(at, std::string::npos) << all[i];
    all[i].replace(at, from.size(), to);
  });
}

TEST(ParseListing, ATableOfOursIsWhole) {
  const Listing listing = parsed(items());
  EXPECT_TRUE(listing.whole);
  EXPECT_THAT(listing.remarks, IsEmpty());
  EXPECT_THAT(listing.elements, IsEmpty());
}

TEST(ParseListing, ElementsAreReadInEveryForm) {
  const auto with_elements = [](const std::string& set, const std::string& elements) {
    return replaced("\"name\":\"" + set + "\"", "}}", R"(,"elem":[)" + elements + "]}}").elements;
  };
  EXPECT_EQ(with_elements("links", R"("br0",{"elem":{"val":"br1","comment":"br1 2"}})"),
            (Elements{{"links", {{{"br0"}, ""}, {{"br1"}, "br1 2"}}}}));
  EXPECT_EQ(with_elements("inside4",
                          R"({"concat":[{"prefix":{"addr":"10.1.0.0","len":16}},"10.0.0.7"]})"),
            (Elements{{"inside4", {{{"10.1.0.0/16", "10.0.0.7/32"}, ""}}}}));
  EXPECT_THAT(
      replaced(R"("name":"links")", "}}", R"(,"elem":[{"elem":{"val":"br0","timeout":3}}]}})")
          .remarks,
      ElementsAre("set links has a foreign element"));
}

TEST(ParseListing, WhatIsMissingIsNamedAndTheTableIsNotWhole) {
  EXPECT_THAT(without(R"({"chain":{"name":"forward")").remarks,
              Contains("chain forward is missing"));
  EXPECT_FALSE(without(R"({"chain":{"name":"forward")").whole);
  EXPECT_THAT(without(R"({"map":{"name":"anywhere6")").remarks,
              ElementsAre("set anywhere6 is missing"));
  EXPECT_THAT(without(R"({"counter":{"name":"closed")").remarks,
              ElementsAre("counter closed is missing"));
}

TEST(ParseListing, ForeignObjectsAreNamedAndTheTableIsNotWhole) {
  for (const auto& [item, remark] : std::initializer_list<std::pair<const char*, const char*>>{
           {R"({"chain":{"name":"mine"}})", "foreign chain mine"},
           {R"({"set":{"name":"mine","type":"ifname"}})", "foreign set mine"},
           {R"({"counter":{"name":"mine"}})", "foreign counter mine"},
           {R"({"quota":{"name":"mine"}})", "a foreign object"},
           {R"(7)", "a foreign object"}}) {
    EXPECT_THAT(with(item).remarks, ElementsAre(remark));
    EXPECT_FALSE(with(item).whole) << item;
  }
}

TEST(ParseListing, AlteredObjectsAreNamedAndTheTableIsNotWhole) {
  const std::string forward = R"("name":"forward")";
  for (const Listing& listing :
       {replaced(forward, "-10", "-11"), replaced(forward, "accept", "drop"),
        replaced(forward, R"("hook":"forward")", R"("hook":"input")"),
        replaced(R"("name":"subnets4")", "interval", "constant"),
        replaced(R"("name":"anywhere4")", "ipv4_addr . inet_service", "ipv4_addr"),
        replaced(R"("name":"links")", R"("type":"ifname")", R"("type":"ifname","timeout":9)"),
        replaced(R"({"table")", R"("handle":2)", R"("flags":"dormant")")}) {
    EXPECT_FALSE(listing.whole);
    EXPECT_THAT(listing.remarks,
                ElementsAre(::testing::AnyOf(HasSubstr("has another"), HasSubstr("dormant"))));
  }
}

TEST(ParseListing, RulesThatDifferAreNamedByChainAndAnUpdateIsEnough) {
  const Listing lacks = without("masqueraded\"},{\"masquerade");
  EXPECT_TRUE(lacks.whole);
  EXPECT_THAT(lacks.remarks, ElementsAre("chain postrouting lacks a rule"));
  const Listing foreign = with(R"({"rule":{"chain":"forward","expr":[{"drop":null}]}})");
  EXPECT_TRUE(foreign.whole);
  EXPECT_THAT(foreign.remarks, ElementsAre("chain forward has a foreign rule"));
  EXPECT_THAT(replaced(R"("counter":"isolated"})", R"("drop":null)", R"("accept":null)").remarks,
              ElementsAre("chain apart has a foreign rule", "chain apart lacks a rule"));
  EXPECT_THAT(changed(R"("counter":"isolated"})",
                      [](auto& all, std::size_t i) { std::swap(all[i], all[i + 1]); })
                  .remarks,
              ElementsAre(HasSubstr("chain apart has its rules in another order")));
}

TEST(ParseListing, WhatIsNoListingIsRefused) {
  for (const char* text : {"", "{", "[]", "{}", R"({"nftables":3})", "null", "\xff\xfe"}) {
    EXPECT_EQ(parse_listing(text).error().code(), Errc::internal) << text;
  }
}

TEST(ParseListing, OddItemsAreAlterationsNotCrashes) {
  const auto odd =
      parse_listing(R"({"nftables":[1,null,"x",[],{"rule":7},{"chain":[]},{"set":[]},{"map":1}]})");
  EXPECT_FALSE(odd->whole);
}

}  // namespace
}  // namespace heddle::nft
