#include "netd/driver/bridge/bridge_driver.h"

#include <gtest/gtest.h>

#include "netd/driver/names.h"
#include "tests/support/views.h"

namespace heddle::bridge {
namespace {

using tests::ip;
using tests::prefix;
using tests::ViewBuilder;

class BridgeDriverTest : public ::testing::Test {
 protected:
  BridgeDriverTest() : network(build.network("0123456789abcdef", "bridge", "172.20.0.0/24")) {
    build.workload("c1");
    build.endpoint("c1", network.id, "172.20.0.2");
  }
  dataplane::HostState planned(bool default_route = true) {
    const model::Endpoint& endpoint = build.view().endpoints.begin()->second;
    const driver::Site site{
        network, build.view(), {{&endpoint, &build.view().workloads.at("c1"), default_route}}, {}};
    dataplane::HostState into;
    driver.plan_node(build.view(), {}, into);
    driver.plan_network(site, {}, into);
    driver.plan_endpoints(site, {}, into);
    return into;
  }
  std::string refusal() {
    const auto result = driver.validate(network, {});
    return result ? "" : result.error().text();
  }

  ViewBuilder build;
  model::Network& network;
  BridgeDriver driver;
};

TEST_F(BridgeDriverTest, MakesABridgeWithTheGatewayAndMasqueradesItsSubnet) {
  const auto state = planned();
  ASSERT_EQ(state.bridges.size(), 1u);
  const dataplane::Bridge& bridge = state.bridges.at("hdb0123456789");
  EXPECT_EQ(bridge.mtu, 1500u);
  ASSERT_EQ(bridge.addresses.size(), 1u);
  EXPECT_EQ(bridge.addresses[0].format(), "172.20.0.1/24");
  EXPECT_FALSE(bridge.mac.is_multicast());
  EXPECT_EQ(state.masquerades,
            (std::set<dataplane::Masquerade>{{prefix("172.20.0.0/24"), "hdb0123456789"}}));
  EXPECT_EQ(state.sysctls.at("net/ipv4/ip_forward"), "1");
  EXPECT_FALSE(state.underlay);
}

TEST_F(BridgeDriverTest, AttachesTheEndpointAsAPortWithADefaultRoute) {
  const auto state = planned();
  ASSERT_EQ(state.attachments.size(), 1u);
  const dataplane::Attachment& it = state.attachments.begin()->second;
  EXPECT_LE(it.host_name.size(), kMaxIfName);
  EXPECT_EQ(it.sandbox, "/run/heddle/netns/c1");
  EXPECT_EQ(it.name, "eth0");
  EXPECT_EQ(it.bridge, "hdb0123456789");
  EXPECT_FALSE(it.overlay);
  EXPECT_EQ(it.addresses[0].format(), "172.20.0.2/24");
  ASSERT_EQ(it.routes.size(), 1u);
  EXPECT_EQ(it.routes[0].destination.length(), 0);
  EXPECT_EQ(*it.routes[0].via, ip("172.20.0.1"));
  EXPECT_NE(it.mac, it.host_mac);
  EXPECT_TRUE(planned(false).attachments.begin()->second.routes.empty());
}

TEST_F(BridgeDriverTest, LeavesNothingOutOfAnInternalNetwork) {
  network.internal = true;
  const auto state = planned(false);
  EXPECT_TRUE(state.masquerades.empty());
  EXPECT_TRUE(state.sysctls.empty());
  EXPECT_EQ(state.bridges.size(), 1u);
}

TEST_F(BridgeDriverTest, TakesItsOptions) {
  network.options = {{"mtu", "9000"}, {"bridge.name", "br-blue"}};
  EXPECT_EQ(refusal(), "");
  const auto state = planned();
  EXPECT_EQ(state.bridges.at("br-blue").mtu, 9000u);
  EXPECT_EQ(state.attachments.begin()->second.mtu, 9000u);
  EXPECT_EQ(state.attachments.begin()->second.bridge, "br-blue");
}

TEST_F(BridgeDriverTest, RefusesWhatItDoesNotKnowAndSaysWhatItDoes) {
  network.options = {{"mtuu", "9000"}};
  EXPECT_EQ(refusal(),
            "option 'mtuu' is unknown to driver bridge, which accepts: mtu (bytes, 576 to 65535), "
            "bridge.name (name of the Linux bridge, 1 to 15 bytes)");
  for (const char* mtu : {"", "0", "575", "65536", "1500x", "-1", "99999999999"}) {
    network.options = {{"mtu", mtu}};
    EXPECT_NE(refusal().find("must be a number of bytes from 576 to 65535"), std::string::npos);
  }
  for (const char* name : {"", "sixteen-bytes-16", "a/b", "a b", ".", "..", "-x", "hdv1", "lo"}) {
    network.options = {{"bridge.name", name}};
    EXPECT_NE(refusal().find("option bridge.name"), std::string::npos) << name;
  }
}

TEST_F(BridgeDriverTest, RefusesSubnetsThatItCannotCarry) {
  network.subnets = {{prefix("fd00::/64"), ip("fd00::1")}};
  EXPECT_NE(refusal().find("is IPv6"), std::string::npos);
  network.subnets = {{prefix("10.0.0.0/31"), ip("10.0.0.0")}};
  EXPECT_NE(refusal().find("must be from /8 to /30"), std::string::npos);
  network.subnets = {{prefix("10.0.0.0/24"), ip("10.0.1.1")}};
  EXPECT_NE(refusal().find("gateway 10.0.1.1"), std::string::npos);
  network.subnets = {{prefix("10.0.0.0/24"), ip("10.0.0.255")}};
  EXPECT_NE(refusal().find("gateway 10.0.0.255"), std::string::npos);
  network.subnets.clear();
  EXPECT_NE(refusal().find("has no subnet"), std::string::npos);
}

}  // namespace
}  // namespace heddle::bridge
