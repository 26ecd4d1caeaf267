// The trie of blocks as a table: what was written is read back, in any number.
#include <bpf/bpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "ebpf/abi/maps.h"
#include "ebpf/abi/overlay.h"
#include "tests/bpf/overlay/overlay_fixture.h"

namespace heddle::testing {
namespace {

class BlockTable : public OverlayFixture {};

// More than the kernel gives in one answer: the next begins after a key, not after a bucket.
TEST_F(BlockTable, ThousandsAreReadBackAndHalfOfThemAfterTheOthersWent) {
  std::vector<dataplane::OverlayBlock> wanted;
  for (std::uint32_t i = 0; i < 5000; ++i) {
    const int length = i % 2 == 0 ? 28 : 32;
    wanted.push_back({Vni{kVni + i % 3},
                      Prefix::containing(IpAddr::v4(0x0a000000 + i * 16), length), kPeerNode,
                      kBlockMac});
    const auto put = programs_->put_block(wanted.back());
    ASSERT_TRUE(put.has_value()) << put.error().text();
  }
  std::ranges::sort(wanted);
  EXPECT_EQ(programs_->blocks().value(), wanted);
  std::erase_if(wanted, [&](const dataplane::OverlayBlock& block) {
    if (block.prefix.length() == 32) return false;
    EXPECT_TRUE(programs_->remove_block(block.vni, block.prefix).has_value());
    return true;
  });
  EXPECT_EQ(wanted.size(), 2500u);
  EXPECT_EQ(programs_->blocks().value(), wanted);
}

// One that a hand wrote without a whole VNI would vouch for many networks.
TEST_F(BlockTable, AnEntryOfNoWholeVniShowsAndCanBeRemoved) {
  const heddle_block_key key{.bits = 8, .vni = kVni, .address = 0};
  const heddle_block value{
      .vtep = kPeerNode.v4_be(), .mac = {2, 0, 0, 0, 0, 1}, .flags = 0, .reserved = 0};
  ASSERT_EQ(::bpf_map_update_elem(objects_->map(HEDDLE_MAP_BLOCKS), &key, &value, BPF_ANY), 0);
  const auto seen = programs_->blocks().value();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_GT(seen[0].vni.value, kMaxVni) << "no network's";
  ASSERT_TRUE(programs_->remove_block(seen[0].vni, seen[0].prefix).has_value());
  EXPECT_THAT(programs_->blocks().value(), ::testing::IsEmpty());
}

}  // namespace
}  // namespace heddle::testing
