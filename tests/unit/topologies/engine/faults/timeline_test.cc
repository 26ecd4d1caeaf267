#include "topologies/engine/faults/timeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "topologies/engine/faults/chance.h"

namespace heddle::faults {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using namespace std::chrono_literals;

format::Lab lab_of(const std::string& faults) {
  auto lab = format::parse_lab("name: x\nhosts: {h1: , h2: , h3: , h4: , h5: }\nfaults:\n" + faults,
                               "f.yml", {});
  EXPECT_TRUE(lab) << lab.error().text();
  return lab ? *std::move(lab) : format::Lab{};
}

TEST(Chance, IsTheSameToday) {
  // Repro files and reports name seeds: what they decide must never change.
  Chance chance(7, "faults[0]");
  EXPECT_EQ(chance.below(1000), Chance(7, "faults[0]").below(1000));
  Chance first(1, "a");
  std::vector<std::uint64_t> drawn;
  for (int i = 0; i < 3; ++i) drawn.push_back(first.next());
  EXPECT_THAT(drawn, ElementsAre(0xa916eb418b719ee8, 0x16fd74460bbf551b, 0xfb402d977415151e));
  EXPECT_NE(Chance(1, "a").next(), Chance(1, "b").next());
  EXPECT_NE(Chance(1, "a").next(), Chance(2, "a").next());
}

TEST(Expand, RepeatsAndEndsAreConcrete) {
  const auto all = expand(lab_of("- {every: 2s, until: 6s, kill: h1, for: 1s}\n"), 1);
  ASSERT_THAT(all, SizeIs(3));
  EXPECT_EQ(all[2].at, 6s);
  EXPECT_EQ(all[2].lasts, 1s);
  EXPECT_THAT(all[2].on, ElementsAre("h1"));
}

TEST(Expand, TheSeedChoosesAndNothingElse) {
  const auto lab = lab_of(
      "- {every: 1s, until: 50s, kill: one, for: 10ms}\n- {between: [1s, 9s], cut: minority}\n");
  const auto once = expand(lab, 3);
  const auto again = expand(lab, 3);
  std::set<std::string> hit;
  for (std::size_t i = 0; i < once.size(); ++i) {
    EXPECT_EQ(once[i].on, again[i].on);
    EXPECT_EQ(once[i].at, again[i].at);
    if (once[i].on.size() == 1) hit.insert(once[i].on.front());
  }
  EXPECT_THAT(hit, SizeIs(5));  // each host at some time
  std::set<Milliseconds> times;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    for (const Occurrence& of : expand(lab, seed)) {
      if (format::name_of(of.action) != "cut") continue;
      times.insert(of.at);
      EXPECT_GE(of.at, 1s);
      EXPECT_LE(of.at, 9s);
      EXPECT_THAT(of.on, SizeIs(2));  // fewer than half of five links
    }
  }
  EXPECT_GT(times.size(), 15U);
}

TEST(Expand, OneFaultMoreLeavesTheChoicesOfOthers) {
  const std::string first = "- {at: 1s, kill: one}\n- {between: [2s, 9s], pause: one, for: 1s}\n";
  const auto before = expand(lab_of(first), 11);
  const auto after = expand(lab_of(first + "- {at: 20s, cut: one}\n"), 11);
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(before[i].on, after[i].on);
    EXPECT_EQ(before[i].at, after[i].at);
  }
}

TEST(Expand, HowManyAreHit) {
  const auto count = [](const char* how) {
    return expand(lab_of("- {at: 1s, kill: " + std::string(how) + "}\n"), 5).at(0).on.size();
  };
  EXPECT_EQ(count("one"), 1U);
  EXPECT_EQ(count("minority"), 2U);
  EXPECT_EQ(count("majority"), 3U);
  EXPECT_EQ(count("all"), 5U);
  EXPECT_EQ(count("{minority: [h1, h2]}"), 1U);
}

std::vector<std::size_t> side_sizes(const Occurrence& of) {
  std::vector<std::size_t> out;
  for (const auto& side : std::get<format::fault::Partition>(of.action).sides)
    out.push_back(side.size());
  return out;
}

TEST(Expand, PartitionsHaveTheirSides) {
  const auto sides = [](const char* shape) {
    return side_sizes(
        expand(lab_of("- {at: 1s, partition: " + std::string(shape) + "}\n"), 5).at(0));
  };
  EXPECT_THAT(sides("halves"), ElementsAre(2, 3));
  EXPECT_THAT(sides("majority"), ElementsAre(3, 2));
  EXPECT_THAT(sides("isolate"), ElementsAre(1, 4));
  EXPECT_THAT(sides("one-way"), ElementsAre(2, 3));
  EXPECT_THAT(sides("[[h1], [h2, h3]]"), ElementsAre(1, 2));
}

TEST(Events, AnUndoComesBeforeAStrikeOfTheSameMoment) {
  const auto all = expand(lab_of("- {every: 1s, until: 2s, kill: h1, for: 1s}\n"), 1);
  const auto events = events_of(all);
  std::string order;
  for (const Event& event : events)
    order += std::to_string(event.at.count()) + (event.what == Event::What::strike ? "+ " : "- ");
  EXPECT_EQ(order, "1000+ 2000- 2000+ 3000- ");
}

TEST(Describe, SaysWhatAPersonWouldSay) {
  const auto all = expand(lab_of("- {at: 1s, kill: [h1, h2], for: 1s}\n"
                                 "- {at: 2s, partition: [[h1], [h2, h3]]}\n"
                                 "- {at: 3s, impair: {link: h1, loss: 10%}}\n"
                                 "- {at: 4s, clock: {on: h1, by: -2s}}\n"),
                          1);
  EXPECT_EQ(describe(all[0]), "kill h1 and h2");
  EXPECT_EQ(describe_undo(all[0]), "start h1 and h2");
  EXPECT_EQ(describe(all[1]), "partition: h1 | h2, h3");
  EXPECT_EQ(describe(all[2]), "impair h1: loss 10%");
  EXPECT_EQ(describe(all[3]), "the clock of h1 jumps by -2000ms");
}

// What a repro file says is what ran.
TEST(Repro, WrittenFaultsAreReadAsTheyWere) {
  const std::string head =
      "name: x\nhosts: {h1: , h2: , h3: }\nsteps: [{on: h1, run: a, background: p}]\n";
  const std::string faults =
      "seed: 4\nfaults:\n- {name: 'a \"b\"', between: [1s, 3s], kill: one, for: 1s}\n"
      "- {at: 5s, partition: halves, for: 2s}\n- {at: 5s, partition: one-way}\n"
      "- {at: 6s, impair: {link: h1, delay: 20ms, jitter: 5ms, loss: {share: 1%, burst: 3}, "
      "forward: {rate: 1mbit}}}\n"
      "- {at: 7s, clock: {on: h2, by: -1500ms}}\n- {at: 8s, stop: p}\n- {at: 8s, cut: h3}\n";
  const auto lab = format::parse_lab(head + faults, "f.yml", {});
  ASSERT_TRUE(lab) << lab.error().text();
  const auto before = expand(*lab, 4);
  const auto text =
      replace_faults(head + faults + "underlay: {mtu: 1400}\n", format_faults(before, 4));
  ASSERT_TRUE(text);
  const auto read = format::parse_lab(*text, "g.yml", {});
  ASSERT_TRUE(read) << read.error().text() << "\n" << *text;
  EXPECT_EQ(read->seed, 4U);
  EXPECT_EQ(read->underlay->mtu, 1400U);
  const auto after = expand(*read, 99);  // nothing is left to chance
  ASSERT_EQ(after.size(), before.size());
  for (std::size_t i = 0; i < after.size(); ++i) {
    EXPECT_EQ(describe(after[i]), describe(before[i]));
    EXPECT_EQ(after[i].at, before[i].at);
    EXPECT_EQ(after[i].lasts, before[i].lasts);
    EXPECT_EQ(after[i].name, before[i].name);
  }
  const auto& was = std::get<format::fault::Impair>(before[3].action).impairment;
  const auto& is = std::get<format::fault::Impair>(after[3].action).impairment;
  EXPECT_EQ(is, was);
}

TEST(Repro, FaultsAtTheRootAreReplacedAndNothingElse) {
  const auto text = replace_faults(
      "name: x\nseed: 3\n# faults: old\nfaults:\n- at: 1s\n  kill: h1\n\nhosts:\n  faults:\n"
      "\"faults\": []\n",
      "faults: []\n");
  ASSERT_TRUE(text);
  EXPECT_EQ(*text, "name: x\n# faults: old\nhosts:\n  faults:\n\nfaults: []\n");
  EXPECT_FALSE(replace_faults("{name: x, faults: []}\n", "faults: []\n"));
}

}  // namespace
}  // namespace heddle::faults
