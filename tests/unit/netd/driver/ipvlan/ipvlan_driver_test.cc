#include "netd/driver/ipvlan/ipvlan_driver.h"

#include <gtest/gtest.h>

#include "tests/support/views.h"

namespace heddle::ipvlan {
namespace {

using tests::ip;
using tests::prefix;
using tests::ViewBuilder;

class IpvlanDriverTest : public ::testing::Test {
 protected:
  IpvlanDriverTest() : network(build.network("lan", "ipvlan", "192.168.7.0/24")) {
    build.workload("c1");
    build.endpoint("c1", "lan", "192.168.7.20");
    network.options = {{"parent", "eth0"}};
    facts.devices = {{"eth0", {1500, true}}};
  }
  dataplane::Attachment planned(bool default_route = true) {
    const driver::Site site{
        network,
        build.view(),
        {{&build.view().endpoints.at("c1-lan"), &build.view().workloads.at("c1"), default_route}},
        {}};
    dataplane::HostState into;
    driver.plan_network(site, facts, into);
    driver.plan_endpoints(site, facts, into);
    return into.attachments.begin()->second;
  }
  std::string refusal() {
    const auto result = driver.validate(network, facts);
    return result ? "" : result.error().text();
  }

  ViewBuilder build;
  model::Network& network;
  driver::NodeFacts facts;
  IpvlanDriver driver;
};

TEST_F(IpvlanDriverTest, L2LeavesThroughTheGatewayWithTheParentsAddress) {
  EXPECT_EQ(refusal(), "");
  const auto it = planned();
  EXPECT_EQ(it.kind, dataplane::LinkKind::ipvlan);
  EXPECT_EQ(it.mode, dataplane::ParentMode::l2);
  EXPECT_EQ(it.parent, "eth0");
  EXPECT_EQ(it.mac, Mac());
  EXPECT_EQ(it.routes, (std::vector<dataplane::Route>{{prefix("0.0.0.0/0"), ip("192.168.7.1")}}));
}

TEST_F(IpvlanDriverTest, L3HasNoGatewayAndLeavesThroughTheLink) {
  for (const auto& [name, mode] :
       {std::pair{"l3", dataplane::ParentMode::l3}, std::pair{"l3s", dataplane::ParentMode::l3s}}) {
    network.options["mode"] = name;
    network.subnets[0].gateway = ip("192.168.7.1");
    EXPECT_NE(refusal().find("subnets have no gateway"), std::string::npos);
    network.subnets[0].gateway = {};
    EXPECT_EQ(refusal(), "");
    EXPECT_FALSE(driver.has_gateway(network, driver::Family::v4));
    EXPECT_EQ(planned().mode, mode);
    EXPECT_EQ(planned().routes,
              (std::vector<dataplane::Route>{{prefix("0.0.0.0/0"), std::nullopt}}));
    EXPECT_TRUE(planned(false).routes.empty());
  }
}

TEST_F(IpvlanDriverTest, OneParentHasOneMode) {
  const auto l2 = driver.claim(network);
  network.options["mode"] = "l3";
  EXPECT_NE(driver.claim(network).manner, l2.manner);
  EXPECT_EQ(driver.claim(network).device, l2.device);
}

TEST_F(IpvlanDriverTest, SaysWhatTheKernelLacks) {
  facts.has_ipvlan = false;
  EXPECT_NE(refusal().find("module ipvlan"), std::string::npos);
  facts.has_ipvlan = true;
  network.options["mode"] = "bridge";
  EXPECT_NE(refusal().find("must be l2, l3 or l3s"), std::string::npos);
}

}  // namespace
}  // namespace heddle::ipvlan
