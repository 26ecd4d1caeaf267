#include "netd/dns/upstreams.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/views.h"

namespace heddle::dns {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using Lacks = Upstreams::Lacks;

class UpstreamsTest : public ::testing::Test {
 protected:
  Upstreams upstreams{
      {{tests::ip("192.0.2.1"), 53}, {tests::ip("192.0.2.2"), 53}, {tests::ip("2001:db8::3"), 53}}};
  Deadline now{1h};
};

TEST_F(UpstreamsTest, AreAskedInTheirOrder) {
  EXPECT_THAT(upstreams.order(), ElementsAre(0u, 1u, 2u));
}

TEST_F(UpstreamsTest, OneThatFailedComesLastUntilItAnswers) {
  upstreams.failed(0, now);
  EXPECT_THAT(upstreams.order(), ElementsAre(1u, 2u, 0u));
  upstreams.failed(1, now + 1ms);
  EXPECT_THAT(upstreams.order(), ElementsAre(2u, 0u, 1u)) << "the first to have failed first";
  upstreams.answered(0);
  EXPECT_THAT(upstreams.order(), ElementsAre(0u, 2u, 1u));
}

TEST_F(UpstreamsTest, OneThatFailedIsTriedBesideOthersAfterAPauseThatDoublesUpToAMinute) {
  upstreams.failed(0, now);
  EXPECT_FALSE(upstreams.due(now + 999ms));
  auto pause = 2s;
  now += 1s;
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(upstreams.due(now), 0u);
    EXPECT_FALSE(upstreams.due(now)) << "once";
    upstreams.failed(0, now + 500ms);  // of that try
    EXPECT_FALSE(upstreams.due(now + pause - 1ms));
    now += pause;
    pause = std::min(pause * 2, 60s);
  }
  upstreams.answered(0);
  EXPECT_FALSE(upstreams.due(now + 1h));
  upstreams.failed(0, now);
  EXPECT_EQ(upstreams.due(now + 1s), 0u) << "the pause starts anew";
}

TEST_F(UpstreamsTest, QuestionsThatFailTogetherCountOnce) {
  for (int i = 0; i < 100; ++i) upstreams.failed(0, now + std::chrono::milliseconds(i));
  EXPECT_EQ(upstreams.due(now + 1s), 0u);
}

TEST_F(UpstreamsTest, WhenAllFailedTheyAreAskedAndNotTriedBeside) {
  for (const std::size_t server : {2u, 0u, 1u}) upstreams.failed(server, now += 1ms);
  EXPECT_THAT(upstreams.order(), ElementsAre(2u, 0u, 1u));
  EXPECT_FALSE(upstreams.due(now + 1h));
}

TEST_F(UpstreamsTest, WhatAServerLacksIsBelievedForTenMinutes) {
  EXPECT_FALSE(upstreams.lacks(1, Lacks::edns, now));
  upstreams.found_lacking(1, Lacks::edns, now);
  EXPECT_TRUE(upstreams.lacks(1, Lacks::edns, now + 9min));
  EXPECT_FALSE(upstreams.lacks(1, Lacks::spelling, now));
  EXPECT_FALSE(upstreams.lacks(0, Lacks::edns, now));
  EXPECT_FALSE(upstreams.lacks(1, Lacks::edns, now + 10min));
}

}  // namespace
}  // namespace heddle::dns
