// Random and mutated frames: every packet has one of three verdicts, every drop exactly one count,
// and what is passed on is unchanged. The seed is fixed, and printed with a failure.
#include <gtest/gtest.h>

#include <random>

#include "tests/bpf/overlay/overlay_fixture.h"

namespace heddle::testing {
namespace {

constexpr int kFrames = 4000;
constexpr unsigned kSeed = 20260101;

class RandomFrames : public OverlayFixture {
 protected:
  std::uint64_t all_drops() {
    std::uint64_t sum = 0;
    const auto drops = programs_->drops();
    for (const bpf::DropCount& drop : drops.value()) sum += drop.packets;
    return sum;
  }
  Bytes mutated(Bytes frame) {
    const int changes = static_cast<int>(random_() % 4);
    for (int i = 0; i < changes; ++i)
      frame[random_() % frame.size()] = static_cast<std::uint8_t>(random_());
    if (random_() % 8 == 0) frame.resize(14 + random_() % (frame.size() - 13));
    return frame;
  }
  // Frames the kernel itself refuses to test with (shorter than the header of their type) are
  // skipped.
  void check(int program, const std::vector<Bytes>& seeds) {
    int ran_count = 0;
    for (int i = 0; i < kFrames; ++i) {
      const Bytes frame = mutated(seeds[random_() % seeds.size()]);
      const std::uint64_t before = all_drops();
      const auto ran = run_tc(program, frame);
      if (!ran) continue;
      ++ran_count;
      const std::uint64_t counted = all_drops() - before;
      ASSERT_TRUE(ran->verdict == kPass || ran->verdict == kDrop || ran->verdict == kRedirect)
          << "seed " << kSeed << " frame " << i << " verdict " << ran->verdict;
      ASSERT_EQ(counted, ran->verdict == kDrop ? 1u : 0u) << "seed " << kSeed << " frame " << i;
      if (ran->verdict == kPass) {
        ASSERT_EQ(ran->frame, frame) << "seed " << kSeed << " frame " << i;
      }
    }
    EXPECT_GT(ran_count, kFrames / 2);
  }
  std::mt19937 random_{kSeed};
};

TEST_F(RandomFrames, FromContainer) {
  const Udp udp{.from_mac = kOwnMac,
                .to_mac = kStaleMac,
                .from = kOwn,
                .to = kRemote,
                .payload = Bytes(20, 7)};
  Udp here = udp;
  here.to = kNeighbour;
  Udp out = udp;
  out.to = kWorld;
  const Arp arp{.from_mac = kOwnMac,
                .to_mac = kBroadcast,
                .sender_mac = kOwnMac,
                .sender = kOwn,
                .target_mac = {},
                .target = kRemote};
  check(objects_->from_container(),
        {udp_frame(udp), udp_frame(here), udp_frame(out), arp_frame(arp)});
}

TEST_F(RandomFrames, FromUnderlay) {
  const Udp inner{.from_mac = kRemoteMac,
                  .to_mac = kStaleMac,
                  .from = kRemote,
                  .to = kOwn,
                  .payload = Bytes(20, 7)};
  Udp outer{.from_mac = kPeerMac,
            .to_mac = kUnderlayMac,
            .from = kPeerNode,
            .to = kNode,
            .to_port = kVxlanPort,
            .payload = vxlan(kVni, udp_frame(inner)),
            .checksum = false};
  Udp probe = outer;
  probe.payload = vxlan(
      0, Bytes{0x48, 0x64, 0x50, 0x62, 1, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0});
  check(objects_->from_underlay(), {udp_frame(outer), udp_frame(probe), udp_frame(inner)});
}

}  // namespace
}  // namespace heddle::testing
