#include "netd/driver/none/none_driver.h"

#include <gtest/gtest.h>

#include "tests/support/views.h"

namespace heddle::none {
namespace {

TEST(NoneDriver, HasNoAddressesAndCannotBeConnectedTo) {
  const NoneDriver driver;
  model::Network network;
  network.name = "n";
  network.driver = "none";
  EXPECT_FALSE(driver.has_subnets());
  EXPECT_TRUE(driver.validate(network, {}));
  const auto refused = driver.check_endpoint(network, {}, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::unsupported);
  network.subnets = {{tests::prefix("10.0.0.0/24"), tests::ip("10.0.0.1")}};
  EXPECT_NE(driver.validate(network, {}).error().text().find("leave --subnet out"),
            std::string::npos);
  network.subnets.clear();
  network.options = {{"mtu", "1500"}};
  EXPECT_NE(driver.validate(network, {}).error().text().find("it has no options"),
            std::string::npos);
}

}  // namespace
}  // namespace heddle::none
