#include "topologies/traffic/measure.h"

#include <gtest/gtest.h>

namespace heddle::traffic {
namespace {

using namespace std::chrono_literals;
const Time kStart{1h};

TEST(Gaps, AnOutageAtTheEndCounts) {
  Gaps gaps(kStart);
  gaps.success(kStart + 10ms);
  gaps.success(kStart + 40ms);
  EXPECT_EQ(gaps.longest(kStart + 50ms), 30ms);
  EXPECT_EQ(gaps.longest(kStart + 100ms), 60ms);
}

TEST(Latencies, PercentilesAreExact) {
  Latencies latencies;
  EXPECT_EQ(latencies.percentile_ms(50), 0);
  for (int i = 100; i >= 1; --i) latencies.add(std::chrono::milliseconds(i));
  EXPECT_EQ(latencies.percentile_ms(50), 50);
  EXPECT_EQ(latencies.percentile_ms(99), 99);
  EXPECT_EQ(latencies.max_ms(), 100);
}

TEST(Failures, SpanIsFromTheFirstToTheLast) {
  Failures failures;
  EXPECT_EQ(failures.span(), 0ms);
  EXPECT_FALSE(failures.last());
  for (int i = 0; i < 60; ++i) failures.add(100ms + i * 10ms, "x");
  EXPECT_EQ(failures.count(), 60U);
  EXPECT_EQ(failures.first_ones().size(), 50U);
  EXPECT_EQ(failures.span(), 590ms);
}

TEST(Sequence, LossDuplicatesAndReorderingAreToldApart) {
  Sequence sequence;
  for (const std::uint64_t number : {0, 1, 3, 2, 3, 6}) sequence.arrived(number);
  EXPECT_EQ(sequence.unique(), 5U);
  EXPECT_EQ(sequence.duplicates(), 1U);
  EXPECT_EQ(sequence.reordered(), 1U);
  EXPECT_EQ(sequence.highest_plus_one(), 7U);
  sequence.arrived(~0ULL);  // a foreign packet must not cost memory
  EXPECT_EQ(sequence.highest_plus_one(), 7U);
}

TEST(Pace, TheFirstIsDueAtTheStart) {
  const Pace pace(kStart, 1000);
  EXPECT_EQ(pace.due_by(kStart - 1ms), 0U);
  EXPECT_EQ(pace.due_by(kStart), 1U);
  EXPECT_EQ(pace.due_by(kStart + 1s), 1001U);
  EXPECT_EQ(pace.due_at(500), kStart + 500ms);
}

TEST(StreamByte, DependsOnTheOffsetAlone) {
  EXPECT_EQ(stream_byte(12345), stream_byte(12345));
  int equal = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) equal += stream_byte(i) == stream_byte(i + 1);
  EXPECT_LT(equal, 50);
}

}  // namespace
}  // namespace heddle::traffic
