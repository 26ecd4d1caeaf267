#include "netd/flows/flow_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <utility>

namespace heddle::flows {
namespace {

using namespace std::chrono_literals;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class FakeRing final : public bpf::FlowRing {
 public:
  Result<> watch(std::uint32_t one_of, std::chrono::milliseconds) override {
    watched = one_of;
    return {};
  }
  Result<std::vector<bpf::FlowEvent>> take(std::chrono::milliseconds patience) override {
    if (patience > 0ms && waiting.empty()) return std::exchange(late, {});
    return std::exchange(waiting, {});
  }
  Result<std::uint32_t> lost() override { return lost_; }

  void tell(int count) {
    for (int i = 0; i < count; ++i) waiting.push_back({.bytes = ++told_});
  }
  std::vector<bpf::FlowEvent> waiting;  // told already
  std::vector<bpf::FlowEvent> late;     // who waits gets them
  std::uint32_t lost_ = 0;
  std::uint32_t watched = 0;

 private:
  std::uint32_t told_ = 0;
};

TEST(FlowLog, WithoutProgramsSaysSo) {
  FlowLog log(nullptr);
  const auto read = log.read(0, 1, 0ms);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), Errc::unsupported);
}

TEST(FlowLog, BeginsWithNowAndGoesOnWhereTheReaderWas) {
  FakeRing ring;
  ring.tell(3);
  FlowLog log(&ring);
  const auto first = log.read(0, 1, 0ms);
  EXPECT_THAT(first->events, IsEmpty()) << "they were before";
  ring.tell(2);
  const auto second = log.read(first->last, 1, 0ms);
  ASSERT_THAT(second->events, SizeIs(2));
  EXPECT_EQ(second->events[0].bytes, 4u);
  EXPECT_EQ(second->lost, 0u);
  EXPECT_THAT(log.read(second->last, 1, 0ms)->events, IsEmpty());
}

TEST(FlowLog, WaitsForTheFirst) {
  FakeRing ring;
  FlowLog log(&ring);
  const auto first = log.read(0, 1, 0ms);
  ring.late = {{.bytes = 7}};
  EXPECT_THAT(log.read(first->last, 1, 100ms)->events, SizeIs(1));
}

TEST(FlowLog, EachReaderGetsAll) {
  FakeRing ring;
  FlowLog log(&ring);
  const auto a = log.read(0, 1, 0ms)->last;
  const auto b = log.read(0, 1, 0ms)->last;
  ring.tell(3);
  EXPECT_THAT(log.read(a, 1, 0ms)->events, SizeIs(3));
  EXPECT_THAT(log.read(b, 1, 0ms)->events, SizeIs(3));
}

TEST(FlowLog, CountsWhatTheRingLostAndWhatASlowReaderMissed) {
  FakeRing ring;
  ring.lost_ = 0xfffffffe;
  FlowLog log(&ring);
  const auto start = log.read(0, 1, 0ms)->last;
  ring.tell(1);
  ring.lost_ += 5;  // wraps
  const auto page = log.read(start, 1, 0ms);
  EXPECT_THAT(page->events, SizeIs(1));
  EXPECT_EQ(page->lost, 5u);
  ring.tell(static_cast<int>(FlowLog::kMost) + 10);
  const auto slow = log.read(page->last, 1, 0ms);
  EXPECT_THAT(slow->events, SizeIs(FlowLog::kMost));
  EXPECT_EQ(slow->lost, 10u);
}

TEST(FlowLog, OfSeveralReadersTheOneThatWantsMostGetsIt) {
  FakeRing ring;
  FlowLog log(&ring);
  ASSERT_TRUE(log.read(0, 100, 0ms));
  EXPECT_EQ(ring.watched, 100u);
  ASSERT_TRUE(log.read(0, 10, 0ms));
  ASSERT_TRUE(log.read(0, 100, 0ms));
  EXPECT_EQ(ring.watched, 10u);
}

}  // namespace
}  // namespace heddle::flows
