#include "netd/model/view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heddle::model {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

AddressBlock block(const Id& network, const char* prefix, const Id& node) {
  return {network, Prefix::parse(prefix).value(), node};
}

TEST(Blocks, AreFoundByNetworkAndNode) {
  const Blocks blocks({block("a", "10.0.0.64/26", "h2"), block("b", "10.1.0.0/26", "h1"),
                       block("a", "10.0.0.0/26", "h1")});
  EXPECT_THAT(blocks.of("a"),
              ElementsAre(block("a", "10.0.0.0/26", "h1"), block("a", "10.0.0.64/26", "h2")));
  EXPECT_THAT(blocks.of("a", "h2"), ElementsAre(Prefix::parse("10.0.0.64/26").value()));
  EXPECT_THAT(blocks.of("b", "h2"), IsEmpty());
  EXPECT_THAT(blocks.of("c"), IsEmpty());
  EXPECT_THAT(Blocks().of("a"), IsEmpty());
}

TEST(Blocks, AnAddedOneIsAsOneThatWasThere) {
  const AddressBlock one = block("a", "10.0.0.0/26", "h1");
  const AddressBlock two = block("a", "10.0.0.64/26", "h2");
  Blocks added;
  added.add(two);
  const Blocks copy = added;
  added.add(one);
  added.add(one);
  EXPECT_THAT(added.differences(Blocks({one, two})), IsEmpty());
  EXPECT_THAT(copy.of("a"), ElementsAre(two)) << "a copy is another value";
}

TEST(Blocks, TellOfWhichNetworksTheyDiffer) {
  const Blocks before({block("a", "10.0.0.0/26", "h1"), block("b", "10.1.0.0/26", "h1"),
                       block("c", "10.2.0.0/26", "h1")});
  const Blocks after({block("a", "10.0.0.0/26", "h1"), block("b", "10.1.0.0/26", "h2"),
                      block("d", "10.3.0.0/26", "h1")});
  EXPECT_THAT(before.differences(after), ElementsAre("b", "c", "d"));
  EXPECT_THAT(after.differences(before), ElementsAre("b", "c", "d"));
  View one;
  View other;
  one.blocks = before;
  other.blocks = after;
  EXPECT_THAT(compare(one, other).blocks, ElementsAre("b", "c", "d"));
  other.blocks = one.blocks;
  EXPECT_THAT(compare(one, other).blocks, IsEmpty());
}

}  // namespace
}  // namespace heddle::model
