#include "proxy/balance/picker.h"

#include <gtest/gtest.h>

#include <map>

#include "proxy/balance/retry_budget.h"

namespace heddle::balance {
namespace {

using std::chrono::seconds;

const Deadline kNow = Deadline() + std::chrono::hours(1);

struct Targets {
  explicit Targets(std::size_t n) : loads(n) {
    for (Load& load : loads) all.push_back(&load);
  }
  std::vector<Load> loads;
  std::vector<Load*> all;
};

TEST(RoundRobin, IsEvenAndWeighted) {
  Targets targets(3);
  targets.loads[1].weight = 2;
  Picker picker(Algorithm::round_robin, 1);
  std::map<Load*, int> counts;
  for (int i = 0; i < 400; ++i) ++counts[picker.pick(targets.all, {}, kNow)];
  EXPECT_EQ(counts[targets.all[0]], 100);
  EXPECT_EQ(counts[targets.all[1]], 200);
  EXPECT_EQ(counts[targets.all[2]], 100);
}

class EachAlgorithm : public ::testing::TestWithParam<Algorithm> {};
INSTANTIATE_TEST_SUITE_P(Balance, EachAlgorithm,
                         ::testing::Values(Algorithm::round_robin, Algorithm::least_request));

TEST_P(EachAlgorithm, OnlyReadyTargetsAreChosen) {
  Targets targets(3);
  targets.loads[0].ready = false;
  Picker picker(GetParam(), 1);
  for (int i = 0; i < 100; ++i) EXPECT_NE(picker.pick(targets.all, {}, kNow), targets.all[0]);
  targets.loads[1].ready = targets.loads[2].ready = false;
  EXPECT_EQ(picker.pick(targets.all, {}, kNow), nullptr);
  EXPECT_EQ(picker.pick({}, {}, kNow), nullptr);
}

TEST_P(EachAlgorithm, ATargetThatFailedLatelyIsTheLastChoice) {
  Targets targets(3);
  targets.loads[2].failing_until = kNow + seconds(5);
  Picker picker(GetParam(), 1);
  for (int i = 0; i < 100; ++i) EXPECT_NE(picker.pick(targets.all, {}, kNow), targets.all[2]);
  targets.loads[0].failing_until = targets.loads[1].failing_until = kNow + seconds(9);
  EXPECT_EQ(picker.pick(targets.all, {}, kNow), targets.all[2]) << "nearest to the end of its time";
  bool chosen = false;
  for (int i = 0; i < 100; ++i) {
    chosen |= picker.pick(targets.all, {}, kNow + seconds(6)) == targets.all[2];
  }
  EXPECT_TRUE(chosen) << "its time is over";
}

TEST_P(EachAlgorithm, WhatWasTriedIsNotTriedAgain) {
  Targets targets(2);
  Picker picker(GetParam(), 1);
  Load* const tried[] = {targets.all[0]};
  for (int i = 0; i < 20; ++i) EXPECT_EQ(picker.pick(targets.all, tried, kNow), targets.all[1]);
  EXPECT_EQ(picker.pick(targets.all, targets.all, kNow), nullptr);
}

TEST(LeastRequest, AvoidsTheLoadedOne) {
  Targets targets(2);
  targets.loads[0].in_flight = 10;
  Picker picker(Algorithm::least_request, 1);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(picker.pick(targets.all, {}, kNow), targets.all[1]);
}

TEST(LeastRequest, WeighsTheLoad) {
  Targets targets(2);
  targets.loads[0].in_flight = 10;
  targets.loads[0].weight = 10;
  targets.loads[1].in_flight = 2;
  Picker picker(Algorithm::least_request, 1);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(picker.pick(targets.all, {}, kNow), targets.all[0]);
}

TEST(RetryBudget, IsAShareOfTheRequests) {
  RetryBudget budget;
  int granted = 0;
  for (int i = 0; i < 1000; ++i) {
    budget.count_request();
    while (budget.take()) ++granted;
  }
  EXPECT_NEAR(granted, 220, 2) << "twenty to begin with, then a fifth";
}

}  // namespace
}  // namespace heddle::balance
