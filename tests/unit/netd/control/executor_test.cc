#include "netd/control/executor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace heddle::control {
namespace {

TEST(Executor, RunsInOrderOfArrivalAndReturnsResults) {
  Executor executor;
  std::vector<int> seen;
  for (int i = 0; i < 100; ++i) executor.post([&seen, i] { seen.push_back(i); });
  const Result<int> size =
      executor.call([&]() -> Result<int> { return static_cast<int>(seen.size()); });
  EXPECT_EQ(*size, 100);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(seen[static_cast<std::size_t>(i)], i);
}

TEST(Executor, TimersRunOnTheSameThreadInOrderOfTime) {
  Executor executor;
  std::promise<void> done;
  std::vector<int> seen;
  executor.after(std::chrono::milliseconds(2), [&] {
    seen.push_back(2);
    EXPECT_TRUE(executor.on_executor());
    done.set_value();
  });
  executor.after(std::chrono::milliseconds(1), [&] { seen.push_back(1); });
  done.get_future().wait();
  EXPECT_EQ(seen, (std::vector{1, 2}));
}

// Found by AddressSanitizer: the time that is waited for is a timer's, and stop() drops the timers.
TEST(Executor, StopDoesNotWaitForTimersThatAreFar) {
  for (int i = 0; i < 50; ++i) {
    Executor executor;
    executor.after(std::chrono::hours(1), [] { FAIL(); });
    EXPECT_TRUE(executor.call([]() -> Result<> { return {}; }));
    executor.stop();  // by now it waits, nearly always
  }
}

TEST(Executor, AfterStopCallsAreRefusedAndPostsDropped) {
  Executor executor;
  executor.stop();
  executor.post([] { FAIL(); });
  const Result<> refused = executor.call([]() -> Result<> { return {}; });
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), Errc::exhausted);
}

TEST(Executor, AFullQueueRefusesCallsWithoutLosingWhatItHas) {
  Executor executor;
  std::promise<void> gate;
  auto opened = gate.get_future().share();
  executor.post([opened] { opened.wait(); });
  std::atomic<std::size_t> ran = 0;
  for (std::size_t i = 0; i < Executor::kMaxQueue + 1; ++i) executor.post([&] { ++ran; });
  const Result<> refused = executor.call([]() -> Result<> { return {}; });
  EXPECT_FALSE(refused.has_value());
  gate.set_value();
  executor.stop();
  EXPECT_EQ(ran, Executor::kMaxQueue + 1);
}

}  // namespace
}  // namespace heddle::control
