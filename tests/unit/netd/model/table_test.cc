#include "netd/model/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "netd/model/view.h"

namespace heddle::model {
namespace {

using testing::ElementsAre;
using testing::Pair;

using Numbers = Table<int>;
using Difference = std::tuple<Id, int, int>;  // -1: absent

std::vector<Difference> differences(const Numbers& before, const Numbers& after) {
  std::vector<Difference> found;
  before.differences(after, [&](const Id& id, const int* was, const int* is) {
    found.emplace_back(id, was == nullptr ? -1 : *was, is == nullptr ? -1 : *is);
  });
  return found;
}

TEST(Table, ActsAsAMapDoes) {
  Numbers table;
  EXPECT_TRUE(table.emplace("b", 2).second);
  EXPECT_FALSE(table.emplace("b", 3).second) << "what is there stays";
  table["a"] = 1;
  table.insert_or_assign("b", 4);
  EXPECT_THAT(table, ElementsAre(Pair("a", 1), Pair("b", 4)));
  EXPECT_EQ(table.at("b"), 4);
  EXPECT_EQ(table.lower_bound("aa")->first, "b");
  EXPECT_EQ(table.lower_bound("c"), table.end());
  EXPECT_EQ(table.erase("x"), 0u);
  EXPECT_EQ(table.erase("a"), 1u);
  EXPECT_EQ(table.erase("b"), 1u);
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(table.begin(), table.end());
  EXPECT_FALSE(table.contains("a"));
}

TEST(Table, ACopyIsAMapOfItsOwn) {
  Numbers table;
  for (int i = 0; i < 200; ++i) table[std::to_string(i)] = i;
  const Numbers copy = table;
  table.at("7") = 70;
  table.erase("8");
  table.emplace("new", 1);
  EXPECT_EQ(copy.at("7"), 7);
  EXPECT_EQ(copy.at("8"), 8);
  EXPECT_FALSE(copy.contains("new"));
  EXPECT_EQ(copy.size(), 200u);
  EXPECT_THAT(differences(copy, table), ElementsAre(Difference("7", 7, 70), Difference("8", 8, -1),
                                                    Difference("new", -1, 1)));
}

TEST(Table, WhatWasNotChangedIsShared) {
  Numbers table;
  for (int i = 0; i < 1000; ++i) table[std::to_string(i)] = i;
  Numbers copy = table;
  copy.at("500") = 0;
  int shared = 0;
  for (const auto& entry : table) shared += &entry == &*copy.find(entry.first) ? 1 : 0;
  EXPECT_EQ(shared, 999);
}

// Goal: a Table is a std::map, and differences() is the comparison of two. Method: the same random
// changes to both, on copies of copies.
TEST(Table, FollowsAStdMapThroughRandomChanges) {
  std::mt19937 random(20260101);
  Numbers table;
  std::map<Id, int> map;
  Numbers earlier;
  std::map<Id, int> map_earlier;
  for (int step = 0; step < 20'000; ++step) {
    const Id id = std::to_string(random() % 500);
    const int value = static_cast<int>(random() % 1000);
    switch (random() % 4) {
      case 0:
        EXPECT_EQ(table.erase(id), map.erase(id));
        break;
      case 1:
        EXPECT_EQ(table.emplace(id, value).second, map.emplace(id, value).second);
        break;
      case 2:
        EXPECT_EQ(table.insert_or_assign(id, value).second, map.insert_or_assign(id, value).second);
        break;
      default:
        table[id] = map[id] = value;
    }
    if (step % 97 != 0) continue;
    ASSERT_TRUE(std::equal(table.begin(), table.end(), map.begin(), map.end())) << step;
    ASSERT_EQ(table.size(), map.size());
    std::vector<Difference> expected;
    std::map<Id, int> both = map;
    both.insert(map_earlier.begin(), map_earlier.end());
    for (const auto& [key, ignored] : both) {
      const int was = map_earlier.contains(key) ? map_earlier.at(key) : -1;
      const int is = map.contains(key) ? map.at(key) : -1;
      if (was != is) expected.emplace_back(key, was, is);
    }
    ASSERT_EQ(differences(earlier, table), expected) << step;
    EXPECT_EQ(earlier == table, expected.empty());
    earlier = table;
    map_earlier = map;
  }
}

TEST(ViewChange, NamesWhatCameWentAndChanged) {
  View before;
  before.networks["n"].name = "app";
  before.endpoints["e1"].id = "e1";
  before.endpoints["e2"].id = "e2";
  View after = before;
  EXPECT_TRUE(compare(before, after).endpoints.empty());
  after.endpoints.at("e1").state = EndpointState::ready;
  after.endpoints.erase("e2");
  after.workloads["w"].id = "w";
  const ViewChange change = compare(before, after);
  EXPECT_THAT(change.endpoints, ElementsAre("e1", "e2"));
  EXPECT_THAT(change.workloads, ElementsAre("w"));
  EXPECT_TRUE(change.networks.empty());
  EXPECT_FALSE(change.swarm);
  after.unreachable.insert("h2");
  EXPECT_TRUE(compare(before, after).swarm);
}

}  // namespace
}  // namespace heddle::model
