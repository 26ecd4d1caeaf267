// The program on a wire, packet by packet: it decides as user space computes, and what it hands to
// the relay is the packet.
#include "dataplane/bpf/wires.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "tests/bpf/support/frame.h"
#include "tests/bpf/support/test_run.h"
#include "tests/support/private_netns.h"
#include "topologies/engine/plan/settings.h"
#include "topologies/engine/relay/ring.h"

namespace heddle::bpf {
namespace {

using namespace std::chrono_literals;
using format::Impairment;
using heddle::testing::Bytes;
using heddle::testing::kDrop;
using heddle::testing::kRedirect;
using heddle::testing::Ran;
using heddle::testing::run_tc;

const ::testing::Environment* const kNetns = ::testing::AddGlobalTestEnvironment(new PrivateNetns);

constexpr IfIndex kLoopback{1};  // what run_tc's frames arrive on
constexpr std::uint64_t kKey = 77;

Bytes frame_of(std::size_t bytes) {
  Bytes frame(bytes);
  std::iota(frame.begin(), frame.end(), std::uint8_t{0});
  return frame;
}

class WiresTest : public ::testing::Test {
 protected:
  WiresTest() : wires_(Wires::load().value()) {}

  heddle_wire_settings put(const Impairment& impairment, std::uint32_t flags = 0) {
    heddle_wire_settings settings = plan::wire_settings(impairment, kKey);
    settings.to = kLoopback.value;
    settings.flags = flags;
    EXPECT_TRUE(wires_->begin(kLoopback, {}));
    EXPECT_TRUE(wires_->put(kLoopback, settings));
    return settings;
  }
  Ran run(const Bytes& frame) {
    auto ran = run_tc(wires_->program_fd(), frame);
    EXPECT_TRUE(ran) << ran.error().text();
    return *std::move(ran);
  }
  heddle_wire_state state() { return wires_->state(kLoopback).value().value(); }

  std::unique_ptr<Wires> wires_;
};

TEST_F(WiresTest, DecidesEachPacketAsUserSpaceDoes) {
  const heddle_wire_settings settings =
      put({.loss = 0.3, .loss_burst = 3, .duplicate = 0.1, .corrupt = 0.4, .reorder = 0.1});
  const Bytes frame = frame_of(100);
  heddle_wire_state expected{};
  int lost = 0;
  for (std::uint64_t n = 0; n < 3000; ++n) {
    const Ran ran = run(frame);
    lost = heddle_wire_lost(&settings, n, lost);
    ASSERT_EQ(ran.verdict, lost ? kDrop : kRedirect) << n;
    expected.lost += static_cast<std::uint64_t>(lost);
    if (lost) continue;
    const heddle_wire_verdict verdict = heddle_wire_decide(&settings, n, 100);
    Bytes wanted = frame;
    if (verdict.corrupt_bit != HEDDLE_WIRE_NOT_CORRUPT) {
      wanted[verdict.corrupt_bit / 8] ^= static_cast<std::uint8_t>(1 << verdict.corrupt_bit % 8);
      ++expected.corrupted;
    }
    ASSERT_EQ(ran.frame, wanted) << n;
    expected.duplicated += verdict.duplicated;
    expected.reordered += verdict.reordered;
  }
  EXPECT_EQ(state().next, 3000U);
  EXPECT_EQ(state().lost, expected.lost);
  EXPECT_EQ(state().corrupted, expected.corrupted);
  EXPECT_EQ(state().duplicated, expected.duplicated);
  EXPECT_EQ(state().reordered, expected.reordered);
  EXPECT_GT(expected.lost, 700U);
  EXPECT_GT(expected.corrupted, 700U);
}

TEST_F(WiresTest, NewSettingsCountOn) {
  put({});
  for (int i = 0; i < 5; ++i) run(frame_of(60));
  heddle_wire_settings settings = plan::wire_settings({.loss = 0.5}, kKey);
  settings.to = kLoopback.value;
  ASSERT_TRUE(wires_->put(kLoopback, settings));
  int lost = 0;
  for (std::uint64_t n = 5; n < 200; ++n) {
    lost = heddle_wire_lost(&settings, n, lost);
    ASSERT_EQ(run(frame_of(60)).verdict, lost ? kDrop : kRedirect) << n;
  }
}

TEST_F(WiresTest, ADeviceWithoutSettingsLeadsNowhere) {
  EXPECT_EQ(run(frame_of(60)).verdict, kDrop);
  put({});
  EXPECT_EQ(run(frame_of(60)).verdict, kRedirect);
  ASSERT_TRUE(wires_->remove(kLoopback));
  EXPECT_EQ(run(frame_of(60)).verdict, kDrop);
}

TEST_F(WiresTest, TheRelayGetsThePacketsThatAreToBeDelayed) {
  auto ring = relay::Ring::open(wires_->ring_fd());
  ASSERT_TRUE(ring) << ring.error().text();
  const heddle_wire_settings settings =
      put({.delay = 5ms, .loss = 0.2, .duplicate = 0.3, .reorder = 0.2}, HEDDLE_WIRE_RELAYED);
  int lost = 0;
  std::uint64_t relayed = 0;
  for (std::uint64_t n = 0; n < 300; ++n) {
    // Sizes of every class that the program keeps records in, and their edges.
    const std::size_t sizes[] = {14, 60, 256, 257, 1514, 1536, 1537, 3000};
    const Bytes frame = frame_of(sizes[n % std::size(sizes)]);
    const Ran ran = run(frame);
    lost = heddle_wire_lost(&settings, n, lost);
    const auto verdict = heddle_wire_decide(&settings, n, static_cast<std::uint32_t>(frame.size()));
    const bool through_relay = !lost && !verdict.reordered;
    EXPECT_EQ(ran.verdict, lost || through_relay ? kDrop : kRedirect) << n;
    std::uint64_t seen = 0;
    ring->consume([&](const heddle_wire_record& record, const std::byte* payload) {
      ++seen;
      EXPECT_EQ(record.number, n);
      EXPECT_EQ(record.from, kLoopback.value);
      EXPECT_EQ(record.copies, verdict.duplicated ? 2U : 1U);
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(payload);
      EXPECT_EQ(Bytes(bytes, bytes + record.bytes), frame) << n;
    });
    EXPECT_EQ(seen, through_relay ? 1U : 0U) << n;
    relayed += seen;
  }
  EXPECT_EQ(state().relayed, relayed);
  EXPECT_GT(relayed, 150U);
  EXPECT_FALSE(ring->has_more());
}

// Nobody reads: what does not fit is counted, and nothing stands still.
TEST_F(WiresTest, PacketsThatTheRelayDoesNotFetchAreCounted) {
  put({.delay = 5ms}, HEDDLE_WIRE_RELAYED);
  std::uint64_t tries = 0;
  for (; tries < 20'000 && state().overrun == 0; ++tries) run(frame_of(1514));
  EXPECT_GT(state().overrun, 0U);
  EXPECT_GT(state().relayed, 2'000U);
  auto ring = relay::Ring::open(wires_->ring_fd());
  std::uint64_t fetched = 0;
  ring->consume([&](const heddle_wire_record&, const std::byte*) { ++fetched; });
  EXPECT_EQ(fetched, state().relayed);
  const std::uint64_t before = state().relayed;
  run(frame_of(1514));
  EXPECT_EQ(state().relayed, before + 1);
}

TEST_F(WiresTest, SeveredPairsAreReplacedAsAWhole) {
  ASSERT_TRUE(wires_->sever({{IfIndex{1}, IfIndex{2}}, {IfIndex{2}, IfIndex{1}}}));
  ASSERT_TRUE(wires_->sever({{IfIndex{1}, IfIndex{3}}}));
  EXPECT_EQ(wires_->severed_frames().value(), 0U);
  ASSERT_TRUE(wires_->sever({}));
}

}  // namespace
}  // namespace heddle::bpf
