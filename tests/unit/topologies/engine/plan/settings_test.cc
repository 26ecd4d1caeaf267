// What happens to the packets of a link, over many of them: shares, bursts, delays, and that they
// follow from the key alone.
#include "topologies/engine/plan/settings.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace heddle::plan {
namespace {

using namespace std::chrono_literals;
using format::Distribution;
using format::Impairment;

constexpr std::uint64_t kMany = 200'000;
constexpr std::uint64_t kKey = 42;

std::vector<bool> losses(const Impairment& impairment, std::uint64_t key = kKey) {
  const heddle_wire_settings settings = wire_settings(impairment, key);
  std::vector<bool> out;
  bool last = false;
  for (std::uint64_t n = 0; n < kMany; ++n) {
    last = heddle_wire_lost(&settings, n, last) != 0;
    out.push_back(last);
  }
  return out;
}

double share(const std::vector<bool>& all) {
  return static_cast<double>(std::ranges::count(all, true)) / static_cast<double>(all.size());
}

double mean_run(const std::vector<bool>& all) {
  std::uint64_t runs = 0;
  for (std::size_t i = 0; i < all.size(); ++i) runs += all[i] && (i == 0 || !all[i - 1]);
  return static_cast<double>(std::ranges::count(all, true)) / static_cast<double>(runs);
}

TEST(WireSettings, AShareOfPacketsIsLost) {
  EXPECT_NEAR(share(losses({.loss = 0.01})), 0.01, 0.001);
  EXPECT_NEAR(share(losses({.loss = 0.3})), 0.3, 0.005);
  EXPECT_EQ(share(losses({.loss = 0})), 0);
  EXPECT_EQ(share(losses({.loss = 1})), 1);
  // Each for itself: as many in a row as chance makes.
  EXPECT_NEAR(mean_run(losses({.loss = 0.3})), 1 / 0.7, 0.03);
}

TEST(WireSettings, BurstsHaveTheirMeanLengthAndTheShareStays) {
  for (const double burst : {2.0, 5.0, 20.0}) {
    const auto all = losses({.loss = 0.05, .loss_burst = burst});
    EXPECT_NEAR(share(all), 0.05, 0.012) << burst;
    EXPECT_NEAR(mean_run(all), burst, burst * 0.1) << burst;
  }
  EXPECT_NEAR(share(losses({.loss = 0.75, .loss_burst = 3})), 0.75, 0.01);
}

TEST(WireSettings, EqualKeysGiveEqualLossesAndOthersOthers) {
  const Impairment impairment{.loss = 0.1, .loss_burst = 2};
  EXPECT_EQ(losses(impairment, 7), losses(impairment, 7));
  const auto one = losses({.loss = 0.5}, 7);
  const auto other = losses({.loss = 0.5}, 8);
  std::uint64_t equal = 0;
  for (std::size_t i = 0; i < one.size(); ++i) equal += one[i] == other[i];
  EXPECT_NEAR(static_cast<double>(equal) / kMany, 0.5, 0.01);
}

// The first fates of key 42. Changing them changes what every seed means.
TEST(WireSettings, TheFatesOfAKeyStay) {
  std::string fates;
  const auto all = losses({.loss = 0.3});
  for (int n = 0; n < 32; ++n) fates += all[static_cast<std::size_t>(n)] ? 'x' : '.';
  const heddle_wire_settings settings =
      wire_settings({.delay = 50ms, .jitter = 5ms, .corrupt = 1}, kKey);
  EXPECT_EQ(fates, "......x.x.x.x..x.xx..x..x..xx.xx");
  EXPECT_EQ(heddle_wire_decide(&settings, 0, 100).corrupt_bit, 256U);
  EXPECT_EQ(heddle_wire_delay_ns(&settings, 0), 52'742'338U);
}

TEST(WireSettings, OneBitBehindTheEthernetHeaderIsFlippedAnyOfThem) {
  const heddle_wire_settings settings = wire_settings({.corrupt = 0.5}, kKey);
  std::uint64_t corrupted = 0;
  std::vector<std::uint64_t> hits(60 * 8);
  for (std::uint64_t n = 0; n < kMany; ++n) {
    const heddle_wire_verdict verdict = heddle_wire_decide(&settings, n, 60);
    if (verdict.corrupt_bit == HEDDLE_WIRE_NOT_CORRUPT) continue;
    ++corrupted;
    ASSERT_GE(verdict.corrupt_bit, 14U * 8);
    ASSERT_LT(verdict.corrupt_bit, 60U * 8);
    ++hits[verdict.corrupt_bit];
  }
  EXPECT_NEAR(static_cast<double>(corrupted) / kMany, 0.5, 0.005);
  for (std::size_t bit = 14 * 8; bit < hits.size(); ++bit) EXPECT_GT(hits[bit], 150U) << bit;
  EXPECT_EQ(heddle_wire_decide(&settings, 0, 14).corrupt_bit, HEDDLE_WIRE_NOT_CORRUPT);
}

TEST(WireSettings, DuplicationAndReorderingHaveTheirShares) {
  const heddle_wire_settings settings = wire_settings({.duplicate = 0.02, .reorder = 0.25}, kKey);
  double duplicated = 0;
  double reordered = 0;
  for (std::uint64_t n = 0; n < kMany; ++n) {
    const heddle_wire_verdict verdict = heddle_wire_decide(&settings, n, 60);
    duplicated += verdict.duplicated;
    reordered += verdict.reordered;
  }
  EXPECT_NEAR(duplicated / kMany, 0.02, 0.002);
  EXPECT_NEAR(reordered / kMany, 0.25, 0.005);
}

struct Delays {
  double mean = 0;
  double sigma = 0;
  double least = 0;
  double most = 0;
};
Delays delays_of(const heddle_wire_settings& settings) {
  Delays out{.least = 1e18};
  double squares = 0;
  for (std::uint64_t n = 0; n < kMany; ++n) {
    const auto delay = static_cast<double>(heddle_wire_delay_ns(&settings, n)) / 1e6;
    out.mean += delay / kMany;
    squares += delay * delay / kMany;
    out.least = std::min(out.least, delay);
    out.most = std::max(out.most, delay);
  }
  out.sigma = std::sqrt(squares - out.mean * out.mean);
  EXPECT_GE(out.least * 1e6, static_cast<double>(heddle_wire_least_delay(&settings)));
  return out;
}

TEST(WireSettings, DelaysSpreadAsTheirDistributionDoes) {
  const Delays constant = delays_of(wire_settings({.delay = 50ms}, kKey));
  EXPECT_EQ(constant.least, 50);
  EXPECT_EQ(constant.most, 50);

  const Delays uniform = delays_of(wire_settings({.delay = 50ms, .jitter = 5ms}, kKey));
  EXPECT_NEAR(uniform.mean, 50, 0.05);
  EXPECT_NEAR(uniform.sigma, 5 / std::sqrt(3), 0.03);
  EXPECT_NEAR(uniform.least, 45, 0.01);
  EXPECT_NEAR(uniform.most, 55, 0.01);

  const Delays normal = delays_of(
      wire_settings({.delay = 50ms, .jitter = 5ms, .distribution = Distribution::normal}, kKey));
  EXPECT_NEAR(normal.mean, 50, 0.05);
  EXPECT_NEAR(normal.sigma, 5, 0.05);
  EXPECT_LT(normal.least, 33);
  EXPECT_GT(normal.most, 67);

  const Delays pareto = delays_of(
      wire_settings({.delay = 50ms, .jitter = 5ms, .distribution = Distribution::pareto}, kKey));
  EXPECT_NEAR(pareto.mean, 50, 0.3);
  EXPECT_NEAR(pareto.least, 50 - 5 * 0.5774, 0.01);
  EXPECT_NEAR(pareto.most, 50 + 5 * 4, 0.01);
}

TEST(WireSettings, ADelayIsNeverNegative) {
  const Delays wide = delays_of(
      wire_settings({.delay = 1ms, .jitter = 1ms, .distribution = Distribution::normal}, kKey));
  EXPECT_EQ(wide.least, 0);
}

TEST(WireSettings, TheLongestTimesFit) {
  const Delays longest = delays_of(
      wire_settings({.delay = 60s, .jitter = 60s, .distribution = Distribution::pareto}, kKey));
  EXPECT_NEAR(longest.most, 5 * 60'000, 1);
}

}  // namespace
}  // namespace heddle::plan
