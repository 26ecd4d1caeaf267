#include "proxy/balance/outlier.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "proxy/balance/budget.h"

namespace heddle::balance {
namespace {

using std::chrono::seconds;

const Deadline kBegin = Deadline() + std::chrono::hours(1);
const OutlierPolicy kPolicy{
    .failures = 3, .base = seconds(10), .most = seconds(25), .most_share = 0.5};

bool fails(Vitals& vitals, Deadline now, std::size_t out = 0, std::size_t members = 4) {
  return judge(vitals, kPolicy, false, now, members, [&] { return out; });
}
void succeeds(Vitals& vitals, Deadline now) {
  EXPECT_FALSE(judge(vitals, kPolicy, true, now, 4, [] { return std::size_t{0}; }));
}

TEST(Outlier, FailuresInARowEject) {
  Vitals vitals;
  EXPECT_FALSE(fails(vitals, kBegin));
  EXPECT_FALSE(fails(vitals, kBegin));
  succeeds(vitals, kBegin);
  EXPECT_FALSE(fails(vitals, kBegin));
  EXPECT_FALSE(fails(vitals, kBegin));
  EXPECT_TRUE(fails(vitals, kBegin));
  EXPECT_EQ(vitals.ejected_until.load(), Vitals::nanos(kBegin + seconds(10)));
}

TEST(Outlier, EachTimeIsLongerUpToABound) {
  Vitals vitals;
  Deadline now = kBegin;
  for (const int wanted : {10, 20, 25, 25}) {
    while (!fails(vitals, now)) {
    }
    EXPECT_EQ(vitals.ejected_until.load(), Vitals::nanos(now + seconds(wanted)));
    now += seconds(wanted + 1);
  }
  succeeds(vitals, now + seconds(600));
  while (!fails(vitals, now + seconds(600))) {
  }
  EXPECT_EQ(vitals.ejected_until.load(), Vitals::nanos(now + seconds(610)))
      << "it was well for long";
}

TEST(Outlier, NotMoreThanTheShareAtOnceButOneAlways) {
  Vitals vitals;
  const auto ejects = [&](std::size_t out, std::size_t members) {
    vitals.ejected_until = Vitals::kNever;
    vitals.failures = 100;
    return fails(vitals, kBegin, out, members);
  };
  EXPECT_TRUE(ejects(1, 4)) << "two of four are half";
  EXPECT_FALSE(ejects(2, 4));
  EXPECT_TRUE(ejects(0, 1)) << "one may always go";
}

TEST(Outlier, WithoutAPolicyNobodyIsEjected) {
  Vitals vitals;
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(judge(vitals, {}, false, kBegin, 4, [] { return std::size_t{0}; }));
  }
}

TEST(Budget, IsKeptByThreadsTogether) {
  const auto budget = std::make_shared<Budget>();
  budget->set_limit(5);
  std::atomic<int> most{0};
  std::atomic<int> now{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 20000; ++j) {
        const auto slot = Slot::take(budget);
        if (!slot) continue;
        const int holders = ++now;
        for (int seen = most; holders > seen && !most.compare_exchange_weak(seen, holders);) {
        }
        --now;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most, 5);
  EXPECT_EQ(budget->used(), 0U) << "all were given back";
  auto first = Slot::take(budget);
  std::vector<Slot> held;
  for (int i = 0; i < 4; ++i) held.push_back(*Slot::take(budget));
  EXPECT_FALSE(Slot::take(budget));
  first.reset();
  EXPECT_TRUE(Slot::take(budget));
  budget->set_limit(0);
  EXPECT_TRUE(Slot::take(budget));
}

}  // namespace
}  // namespace heddle::balance
