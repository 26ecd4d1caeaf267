#include "topologies/engine/faults/shrink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "topologies/engine/faults/search.h"

namespace heddle::faults {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace std::chrono_literals;

Occurrences twenty() {
  Occurrences out;
  for (int i = 0; i < 20; ++i)
    out.push_back({.name = "f" + std::to_string(i),
                   .action = format::fault::Kill{},
                   .on = {"h1", "h2", "h3"},
                   .at = i * 1s,
                   .lasts = 800ms});
  return out;
}
const Occurrence* find(const Occurrences& all, const std::string& name) {
  const auto found = std::ranges::find(all, name, &Occurrence::name);
  return found == all.end() ? nullptr : &*found;
}

TEST(Shrink, FindsTheTwoFaultsThatDoItTogether) {
  const auto shrunk = shrink(
      twenty(),
      [](const Occurrences& all) -> Result<bool> { return find(all, "f3") && find(all, "f17"); },
      1000);
  ASSERT_THAT(shrunk.occurrences, SizeIs(2));
  EXPECT_EQ(shrunk.occurrences[0].name, "f3");
  EXPECT_EQ(shrunk.occurrences[1].name, "f17");
  EXPECT_TRUE(shrunk.whole);
  EXPECT_LT(shrunk.runs, 100U);
}

TEST(Shrink, DropsTargetsAndShortens) {
  const auto shrunk = shrink(
      twenty(),
      [](const Occurrences& all) -> Result<bool> {
        const Occurrence* needed = find(all, "f5");
        return needed && *needed->lasts >= 150ms &&
               std::ranges::find(needed->on, "h2") != needed->on.end();
      },
      1000);
  ASSERT_THAT(shrunk.occurrences, SizeIs(1));
  EXPECT_THAT(shrunk.occurrences[0].on, ElementsAre("h2"));
  EXPECT_EQ(shrunk.occurrences[0].lasts, 200ms);
  EXPECT_EQ(shrunk.occurrences[0].at, 5s);
}

TEST(Shrink, ALabThatFailsByItselfNeedsNoFault) {
  const auto shrunk =
      shrink(twenty(), [](const Occurrences&) -> Result<bool> { return true; }, 1000);
  EXPECT_THAT(shrunk.occurrences, IsEmpty());
  EXPECT_EQ(shrunk.runs, 1U);
}

TEST(Shrink, EndsAtItsBoundAndAtAnErrorWithWhatItHas) {
  std::size_t runs = 0;
  const auto fails = [&](const Occurrences& all) -> Result<bool> {
    ++runs;
    return find(all, "f3") && find(all, "f17");
  };
  const auto bounded = shrink(twenty(), fails, 5);
  EXPECT_EQ(runs, 5U);
  EXPECT_FALSE(bounded.whole);
  EXPECT_TRUE(find(bounded.occurrences, "f3") && find(bounded.occurrences, "f17"));
  const auto broken = shrink(
      twenty(), [](const Occurrences&) -> Result<bool> { return fail(Errc::internal, "no"); },
      1000);
  EXPECT_EQ(broken.runs, 1U);
  EXPECT_FALSE(broken.whole);
  EXPECT_THAT(broken.occurrences, SizeIs(20));
}

TEST(Search, EverySingleFailureAndEveryTwo) {
  auto lab = format::parse_lab(
      "name: x\nhosts: {h1: , h2: }\nchecks: [{on: [h1, h2], ping: h1}, {verify: true}]\n", "f.yml",
      {});
  ASSERT_TRUE(lab);
  const auto [all, possible] = single_and_pairwise(*lab, 100);
  ASSERT_THAT(all, SizeIs(4 + 6));  // two links, two hosts
  EXPECT_EQ(possible, 4U + 6U);
  EXPECT_EQ(describe(all[0][0]), "cut h1:eth0");
  EXPECT_EQ(describe(all[3][0]), "kill h2");
  EXPECT_THAT(all[9], SizeIs(2));
  const auto looked = without_dead_places(*lab, all[3]);
  EXPECT_THAT(looked.checks[0].on, ElementsAre("h1"));
  EXPECT_THAT(looked.checks[1].on, ElementsAre("h1"));
  EXPECT_THAT(without_dead_places(*lab, all[9]).checks, IsEmpty());
  // A bound takes the pairs first, and what was left out is known.
  const auto few = single_and_pairwise(*lab, 5);
  ASSERT_THAT(few.all, SizeIs(5));
  EXPECT_THAT(few.all[3], SizeIs(1));
  EXPECT_EQ(few.possible, 10U);
  EXPECT_THAT(single_and_pairwise(*lab, 2).all, SizeIs(2));
}

}  // namespace
}  // namespace heddle::faults
