#include "topologies/engine/relay/histogram.h"

#include <gtest/gtest.h>

namespace heddle::relay {
namespace {

using namespace std::chrono_literals;

TEST(Histogram, QuantilesAreExactToASixteenth) {
  Histogram histogram;
  for (int us = 1; us <= 1000; ++us) histogram.add(std::chrono::microseconds(us));
  EXPECT_EQ(histogram.count(), 1000U);
  for (const double share : {0.01, 0.5, 0.9, 0.99, 1.0}) {
    const double exact = share * 1e6;
    EXPECT_GE(static_cast<double>(histogram.quantile(share).count()), exact);
    EXPECT_LE(static_cast<double>(histogram.quantile(share).count()), exact * 17 / 16 + 1) << share;
  }
  EXPECT_EQ(histogram.max(), 1ms);
  EXPECT_EQ(histogram.quantile(1), 1ms) << "never more than the most";
}

TEST(Histogram, WithoutTimesEverythingIsZero) {
  EXPECT_EQ(Histogram().quantile(0.99), 0ns);
  EXPECT_EQ(Histogram().max(), 0ns);
}

TEST(Histogram, NegativeAndEnormousTimesHaveAPlace) {
  Histogram histogram;
  histogram.add(-5ns);
  EXPECT_EQ(histogram.quantile(1), 0ns);
  histogram.add(1000h);
  EXPECT_EQ(histogram.max(), 1000h);
  EXPECT_GT(histogram.quantile(1), 24h);
}

TEST(Histogram, MergesAsIfAllHadBeenAddedToOne) {
  Histogram a;
  Histogram b;
  for (int i = 0; i < 99; ++i) a.add(10us);
  b.add(1s);
  a.merge(b);
  EXPECT_EQ(a.count(), 100U);
  EXPECT_LT(a.quantile(0.99), 11us);
  EXPECT_EQ(a.quantile(1), 1s);
}

}  // namespace
}  // namespace heddle::relay
