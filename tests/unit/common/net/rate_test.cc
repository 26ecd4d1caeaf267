#include "common/net/rate.h"

#include <gtest/gtest.h>

namespace heddle {
namespace {

TEST(Rate, IsFormattedAsTheShortestTextThatReadsBack) {
  EXPECT_EQ(format_rate(1'000), "1kbit");
  EXPECT_EQ(format_rate(1'500'000), "1.5mbit");
  EXPECT_EQ(format_rate(2'500'000'000), "2.5gbit");
  EXPECT_EQ(format_rate(1'001), "1.001kbit");
  EXPECT_EQ(format_rate(1'000'001), "1000.001kbit");
  EXPECT_EQ(format_rate(10'000'000'000'000), "10tbit");
  for (const std::uint64_t bits : {1'000ULL, 1'234'567ULL, 800'000ULL, 999'999'999'999ULL})
    EXPECT_EQ(parse_rate(format_rate(bits)), bits) << format_rate(bits);
}

TEST(Rate, OutsideItsRangeThereIsNone) {
  EXPECT_FALSE(parse_rate("0"));
  EXPECT_FALSE(parse_rate("999"));
  EXPECT_FALSE(parse_rate("11tbit"));
  EXPECT_EQ(parse_rate("2.5Gbit"), 2'500'000'000u);
}

}  // namespace
}  // namespace heddle
