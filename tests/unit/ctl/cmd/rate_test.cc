#include "ctl/cmd/rate.h"

#include <gtest/gtest.h>

namespace heddle::cmd {
namespace {

std::uint64_t rate(const std::string& text) {
  return parse_rate("--rate-in", text).value_or(std::uint64_t{1});
}

TEST(Rate, EveryUnitOfTc) {
  EXPECT_EQ(rate("10mbit"), 10'000'000u);
  EXPECT_EQ(rate("2.5gbit"), 2'500'000'000u);
  EXPECT_EQ(rate("800kbit"), 800'000u);
  EXPECT_EQ(rate("1000000"), 1'000'000u);
  EXPECT_EQ(rate("1000bit"), 1'000u);
  EXPECT_EQ(rate("1.25Mbit"), 1'250'000u);
  EXPECT_EQ(rate("0.5gbit"), 500'000'000u);
  EXPECT_EQ(rate("10tbit"), 10'000'000'000'000u);
  EXPECT_EQ(rate("1kbit"), 1'000u);
  EXPECT_EQ(rate("1.001kbit"), 1'001u);
  EXPECT_EQ(rate(""), 0u) << "no limit";
}

TEST(Rate, WhatCannotBeNamesFlagValueAndWhatCan) {
  for (const char* bad : {"0", "999", "0.9kbit", "11tbit", "10.1tbit", "99999999999999999999",
                          "-1mbit", "10mb", "10mbps", "10 mbit", "mbit", ".5gbit", "5.gbit",
                          "1.5.5gbit", "1.0001kbit", "1e6", "1500.5", "10mbit/s", "+10mbit"}) {
    const auto refused = parse_rate("--rate-out", bad);
    ASSERT_FALSE(refused.has_value()) << bad;
    EXPECT_EQ(refused.error().code(), Errc::invalid);
    EXPECT_EQ(refused.error().text(),
              "--rate-out '" + std::string(bad) +
                  "' must be bits a second from 1kbit to 10tbit, as 800kbit, 10mbit, 2.5gbit or "
                  "1000000");
  }
}

}  // namespace
}  // namespace heddle::cmd
