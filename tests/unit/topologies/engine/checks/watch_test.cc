#include "topologies/engine/checks/watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heddle::checks {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;
using When = format::Check::When;
using Change = Watch::Change;

format::Check check(When when) {
  return {.name = "c",
          .probe = format::probe::Ping{},
          .on = {"h1"},
          .when = when,
          .within = 1s,
          .mark = {}};
}
Look held(Milliseconds from) {
  return {.from = from, .to = from + 5ms, .held = true, .problem = ""};
}
Look failed(Milliseconds from, const char* why = "refused") {
  return {.from = from, .to = from + 5ms, .held = false, .problem = why};
}

TEST(Watch, AlwaysTellsEachOutageWithItsTimes) {
  const auto of = check(When::always);
  Watch watch(of);
  EXPECT_EQ(watch.add(held(0ms)), Change::none);
  EXPECT_EQ(watch.add(failed(100ms)), Change::broke);
  EXPECT_EQ(watch.add(failed(200ms, "later")), Change::none);
  EXPECT_EQ(watch.add(held(300ms)), Change::recovered);
  EXPECT_EQ(watch.add(failed(400ms)), Change::broke);
  const Verdict verdict = watch.verdict();
  EXPECT_FALSE(verdict.passed);
  EXPECT_EQ(verdict.looks, 5U);
  EXPECT_EQ(verdict.broken, 3U);
  ASSERT_EQ(verdict.outages.size(), 2U);
  EXPECT_EQ(verdict.outages[0].from, 100ms);
  EXPECT_EQ(verdict.outages[0].to, 205ms);
  EXPECT_EQ(verdict.outages[0].looks, 2U);
  EXPECT_EQ(verdict.outages[0].problem, "refused");
  EXPECT_EQ(verdict.text, "3 of 5 looks failed, first at 0.100 s: refused");
}

TEST(Watch, AlwaysNeedsALook) {
  const auto of = check(When::always);
  Watch watch(of);
  EXPECT_FALSE(watch.verdict().passed);
  watch.add(held(0ms));
  EXPECT_TRUE(watch.verdict().passed);
}

TEST(Watch, LooksAfterTheEndAreOfNoConcernToAlways) {
  const auto of = check(When::always);
  Watch watch(of);
  watch.add(held(0ms));
  watch.end(100ms);
  EXPECT_EQ(watch.add(failed(100ms)), Change::none);
  EXPECT_TRUE(watch.verdict().passed);
}

TEST(Watch, NeverIsBrokenByOneLookThatHolds) {
  const auto of = check(When::never);
  Watch watch(of);
  EXPECT_EQ(watch.add(failed(0ms)), Change::none);
  EXPECT_TRUE(watch.verdict().passed);
  EXPECT_EQ(watch.add(held(100ms)), Change::broke);
  EXPECT_THAT(watch.verdict().text, HasSubstr("1 of 2 looks held, which none may"));
}

TEST(Watch, SometimesIsContentWithOne) {
  const auto of = check(When::sometimes);
  Watch watch(of);
  watch.add(failed(0ms));
  EXPECT_FALSE(watch.settled());
  EXPECT_THAT(watch.verdict().text, HasSubstr("held at none of 1 look; the last: refused"));
  EXPECT_EQ(watch.add(held(50ms)), Change::held);
  EXPECT_EQ(watch.add(failed(100ms)), Change::none);
  EXPECT_TRUE(watch.verdict().passed);
}

TEST(Watch, EventuallyCountsFromTheEnd) {
  const auto of = check(When::eventually);
  Watch watch(of);
  EXPECT_EQ(watch.add(held(0ms)), Change::none);  // before the end: says nothing
  watch.end(1000ms);
  EXPECT_EQ(watch.add(failed(1000ms)), Change::none);
  EXPECT_FALSE(watch.settled());
  EXPECT_FALSE(watch.verdict().passed);
  EXPECT_EQ(watch.add(held(1500ms)), Change::held);
  EXPECT_TRUE(watch.settled());
  EXPECT_EQ(watch.verdict().text, "held 0.505 s after the end");
}

TEST(Watch, EventuallyTooLateIsNot) {
  const auto of = check(When::eventually);
  Watch watch(of);
  watch.end(0ms);
  watch.add(held(1000ms));
  EXPECT_FALSE(watch.verdict().passed);
  EXPECT_THAT(watch.verdict().text, HasSubstr("not within 1.000 s"));
}

TEST(Watch, OutagesPastTheBoundAreOnlyCounted) {
  const auto of = check(When::always);
  Watch watch(of);
  for (int i = 0; i < 300; ++i) watch.add(i % 2 ? held(i * 1ms) : failed(i * 1ms));
  EXPECT_EQ(watch.verdict().outages.size(), Watch::kMaxOutages);
  EXPECT_EQ(watch.verdict().broken, 150U);
}

}  // namespace
}  // namespace heddle::checks
