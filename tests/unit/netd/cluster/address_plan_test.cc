#include "netd/cluster/address_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace heddle::cluster {
namespace {

using testing::HasSubstr;

Prefix prefix(const std::string& text) {
  return *Prefix::parse(text);
}

Allocation allocation(const std::string& subnet) {
  Allocation made;
  made.subnet = prefix(subnet);
  made.gateway = made.subnet.at(1);
  return made;
}

void expect_disjoint(std::vector<Prefix> blocks) {
  std::ranges::sort(blocks);
  for (std::size_t i = 1; i < blocks.size(); ++i) EXPECT_FALSE(blocks[i - 1].overlaps(blocks[i]));
}

// Claims until none is left, checking that nothing overlaps.
std::vector<Prefix> claim_all(Allocation& all, const std::function<model::Id(int)>& owner) {
  std::vector<Prefix> claimed;
  for (int i = 0;; ++i) {
    const auto block = plan_block(all, owner(i));
    if (!block) {
      EXPECT_EQ(block.error().code(), Errc::exhausted);
      expect_disjoint(claimed);
      return claimed;
    }
    EXPECT_TRUE(all.subnet.contains(*block));
    claimed.push_back(*block);
    all.blocks.push_back({"net", *block, owner(i)});
  }
}

TEST(AddressPlan, ASlash20HasBlocksFor48NodesAndSingleAddressesForAThousand) {
  const BlockLayout layout = layout_of(prefix("10.32.0.0/20"));
  EXPECT_EQ(layout.block_length, 26);
  EXPECT_EQ(layout.singles, 1024u);
  Allocation all = allocation("10.32.0.0/20");
  const auto claimed = claim_all(all, [](int i) { return "node" + std::to_string(i); });
  EXPECT_EQ(claimed.size(), 48u + 1022u);  // without the network's and the gateway's address
  EXPECT_EQ(claimed.front().format(), "10.32.4.0/26");
  EXPECT_EQ(claimed[48].format(), "10.32.0.2/32");
}

TEST(AddressPlan, LayoutsFollowTheSubnet) {
  EXPECT_EQ(layout_of(prefix("10.0.0.0/8")).block_length, 26);
  EXPECT_EQ(layout_of(prefix("10.0.0.0/16")).block_length, 26);
  EXPECT_EQ(layout_of(prefix("10.0.0.0/24")).block_length, 28);
  EXPECT_EQ(layout_of(prefix("10.0.0.0/26")).block_length, 28);
  EXPECT_EQ(layout_of(prefix("10.0.0.0/27")).block_length, 32);
  EXPECT_EQ(layout_of(prefix("10.0.0.0/27")).singles, 32u);
  EXPECT_EQ(layout_of(prefix("10.0.0.0/29")).block_length, 32);
}

TEST(AddressPlan, ANodeThatHasABlockLeavesTheLastHalfToOthers) {
  Allocation all = allocation("10.32.0.0/20");
  const auto claimed = claim_all(all, [](int) { return "greedy"; });
  const auto blocks =
      std::ranges::count_if(claimed, [](const Prefix& p) { return p.length() == 26; });
  EXPECT_EQ(blocks, 24);
  EXPECT_EQ(plan_block(all, "late")->length(), 26);
}

TEST(AddressPlan, SmallSubnetsGiveSingleHostAddressesOnly) {
  Allocation all = allocation("10.32.0.0/29");
  const auto claimed = claim_all(all, [](int i) { return "node" + std::to_string(i); });
  ASSERT_EQ(claimed.size(), 5u);
  EXPECT_EQ(claimed.front().format(), "10.32.0.2/32");
  EXPECT_EQ(claimed.back().format(), "10.32.0.6/32");
}

TEST(AddressPlan, VipsAreHostAddressesOutsideOfNodesBlocksAndStayWithTheirName) {
  Allocation all = allocation("10.32.0.0/20");
  std::set<IpAddr> taken;
  const auto first = plan_vip(all, taken, stable_hash("web"));
  ASSERT_TRUE(first);
  ASSERT_TRUE(first->new_block);
  EXPECT_TRUE(first->new_block->contains(first->address));
  EXPECT_LT(first->address, IpAddr::v4(0x0a200400));
  EXPECT_EQ(plan_vip(all, taken, stable_hash("web"))->address, first->address);
  for (int i = 0; i < 300; ++i) {
    const auto vip = plan_vip(all, taken, stable_hash("s" + std::to_string(i)));
    ASSERT_TRUE(vip) << i;
    if (vip->new_block) {
      for (const auto& block : all.blocks) EXPECT_FALSE(block.prefix.overlaps(*vip->new_block));
      all.blocks.push_back({"net", *vip->new_block, model::Id(kVipOwner)});
    }
    EXPECT_TRUE(taken.insert(vip->address).second);
    EXPECT_NE(vip->address, all.gateway);
    EXPECT_NE(vip->address, all.subnet.address());
  }
}

TEST(AddressPlan, SubnetsAvoidWhatIsTaken) {
  const Prefix pool = prefix("10.32.0.0/18");
  std::vector<Prefix> taken{prefix("10.32.0.0/24"), prefix("10.32.16.0/20"), prefix("0.0.0.0/1")};
  taken.pop_back();
  EXPECT_EQ(plan_subnet(pool, 20, taken)->format(), "10.32.32.0/20");
  taken.push_back(prefix("10.32.32.0/19"));
  const auto none = plan_subnet(pool, 20, taken);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), Errc::exhausted);
  EXPECT_THAT(none.error().text(), HasSubstr("10.32.0.0/18"));
}

}  // namespace
}  // namespace heddle::cluster
