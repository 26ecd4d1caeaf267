#include "proxy/route/route.h"

#include <gtest/gtest.h>

namespace heddle::route {
namespace {

TEST(ChooseGroup, FollowsWeights) {
  snapshot::Forward forward;
  forward.groups = {{"a", 3}, {"b", 1}, {"off", 0}};
  int a = 0;
  for (std::uint64_t random = 0; random < 400; ++random) {
    const std::string& name = choose_group(forward, random);
    EXPECT_NE(name, "off");
    if (name == "a") ++a;
  }
  EXPECT_EQ(a, 300);
}

}  // namespace
}  // namespace heddle::route
