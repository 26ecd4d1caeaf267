#include "common/base/nearest.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace heddle {
namespace {

constexpr std::array<std::string_view, 3> kWords{"address", "daemon", "mtu"};

TEST(Nearest, FindsWhatWasMeant) {
  EXPECT_EQ(nearest("adress", kWords), "address");
  EXPECT_EQ(nearest("deamon", kWords), "daemon");
  EXPECT_EQ(nearest("mtuu", kWords), "mtu");
}

TEST(Nearest, FindsNothingWhenNothingIsNear) {
  EXPECT_FALSE(nearest("completely-else", kWords));
  EXPECT_FALSE(nearest(std::string(127, 'a'), kWords));
  EXPECT_FALSE(nearest("mtu", {}));
  EXPECT_FALSE(nearest("ps", std::array<std::string_view, 2>{"run", "rm"}));
  EXPECT_FALSE(nearest("", kWords));
}

}  // namespace
}  // namespace heddle
