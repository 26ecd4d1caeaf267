#include "proxy/route/rate_limiter.h"

#include <gtest/gtest.h>

namespace heddle::route {
namespace {

using std::chrono::milliseconds;

const Deadline kNow = Deadline() + std::chrono::hours(1);

TEST(RateLimiter, LetsABurstAndThenTheRateThrough) {
  RateLimiter limiter({.per_second = 10, .burst = 5}, 1);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(limiter.refuse("a", kNow)) << i;
  const auto wait = limiter.refuse("a", kNow);
  ASSERT_TRUE(wait);
  EXPECT_EQ(*wait, milliseconds(100));
  EXPECT_FALSE(limiter.refuse("a", kNow + *wait));
  int passed = 0;
  for (int ms = 200; ms < 10'200; ms += 7) {
    if (!limiter.refuse("b", kNow + milliseconds(ms))) ++passed;
  }
  EXPECT_NEAR(passed, 100, 5);
}

TEST(RateLimiter, SourcesHaveTheirOwnBuckets) {
  RateLimiter limiter({.by = snapshot::RateLimit::By::source, .per_second = 1, .burst = 2}, 1);
  EXPECT_FALSE(limiter.refuse("10.0.0.1", kNow));
  EXPECT_FALSE(limiter.refuse("10.0.0.1", kNow));
  EXPECT_TRUE(limiter.refuse("10.0.0.1", kNow));
  int refused = 0;
  for (int i = 0; i < 500; ++i) {
    if (limiter.refuse("10.0.1." + std::to_string(i), kNow)) ++refused;
  }
  EXPECT_LE(refused, 10) << "others' buckets are mostly their own";
}

}  // namespace
}  // namespace heddle::route
