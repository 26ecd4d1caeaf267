#include "netd/driver/overlay/overlay_driver.h"

#include <gtest/gtest.h>

#include "netd/driver/names.h"
#include "netd/ipam/mac.h"
#include "tests/support/views.h"

namespace heddle::overlay {
namespace {

using tests::ip;
using tests::prefix;
using tests::ViewBuilder;

class OverlayDriverTest : public ::testing::Test {
 protected:
  OverlayDriverTest() {
    build.swarm("h1").node("h1", "192.0.2.1").node("h2", "192.0.2.2");
    build.network("app", "overlay", "10.40.0.0/20", 77);
    build.workload("c1");
    build.endpoint("c1", "app", "10.40.0.5");
    build.remote("h2", "c2", "app", "10.40.0.9");
    facts.underlay_device = "eth0";
    facts.underlay_address = ip("192.0.2.1");
    facts.epoch = 42;
  }
  model::Network& network() { return build.view().networks.at("app"); }
  dataplane::HostState planned() {
    const model::View& view = build.view();
    const driver::Site site{network(),
                            view,
                            {{&view.endpoints.at("c1-app"), &view.workloads.at("c1"), true}},
                            {&view.endpoints.at("c2-app")}};
    dataplane::HostState into;
    driver.plan_node(view, facts, into);
    driver.plan_network(site, facts, into);
    driver.plan_endpoints(site, facts, into);
    return into;
  }

  ViewBuilder build;
  driver::NodeFacts facts;
  OverlayDriver driver;
};

TEST_F(OverlayDriverTest, ASwarmNodeAnswersProbesBeforeItHasANetwork) {
  dataplane::HostState into;
  driver.plan_node(build.view(), facts, into);
  ASSERT_TRUE(into.underlay);
  EXPECT_EQ(into.underlay->device, "eth0");
  EXPECT_EQ(into.underlay->vxlan_name, "hdx0");
  EXPECT_EQ(into.underlay->mtu, 1450u);
  EXPECT_EQ(into.underlay->epoch, 42u);
  EXPECT_EQ(into.underlay->vxlan_port, 4789);

  build.view().swarm.reset();
  dataplane::HostState outside;
  driver.plan_node(build.view(), facts, outside);
  EXPECT_FALSE(outside.underlay);
}

TEST_F(OverlayDriverTest, PointsAddressesAtTheirDeviceOrTheirNode) {
  const auto state = planned();
  const std::string device = driver::host_device("c1-app");
  const auto& local = state.overlay_addresses.at({Vni{77}, ip("10.40.0.5")});
  EXPECT_EQ(local.local_device, device);
  EXPECT_FALSE(local.vtep);
  const auto& remote = state.overlay_addresses.at({Vni{77}, ip("10.40.0.9")});
  EXPECT_EQ(remote.local_device, "");
  EXPECT_EQ(*remote.vtep, ip("192.0.2.2"));
  EXPECT_EQ(state.host_routes.at(ip("10.40.0.5")).device, device);
  EXPECT_EQ(state.host_routes.size(), 1u);
}

TEST_F(OverlayDriverTest, OtherNodesVouchForTheAddressesThatTheyAssign) {
  build.view().blocks = model::Blocks({{"app", prefix("10.40.4.0/26"), "h2"},
                                       {"app", prefix("10.40.4.64/26"), "h1"},
                                       {"app", prefix("10.40.0.16/28"), "vip"},
                                       {"app", prefix("10.40.4.128/26"), "left"},
                                       {"other", prefix("10.44.0.0/26"), "h2"}});
  const auto state = planned();
  ASSERT_EQ(state.overlay_blocks.size(), 1u) << "neither own ones, nor what no node assigns";
  const auto& block = state.overlay_blocks.at({Vni{77}, prefix("10.40.4.0/26")});
  EXPECT_EQ(block.vtep, ip("192.0.2.2"));
  // The programs derive an address's MAC as its node does.
  const IpAddr fresh = ip("10.40.4.9");
  Mac derived = block.mac;
  for (std::size_t i = 0; i < 4; ++i) derived.bytes[i + 2] ^= fresh.bytes()[i];
  EXPECT_EQ(derived, ipam::mac_for("app", fresh));
}

TEST_F(OverlayDriverTest, AttachesWithTheAnycastGatewayAndRoomForTheEncapsulation) {
  const auto state = planned();
  const auto& it = state.attachments.at(driver::host_device("c1-app"));
  EXPECT_EQ(it.host_mac, driver::kAnycastGatewayMac);
  EXPECT_EQ(it.mtu, 1450u);
  EXPECT_EQ(*it.overlay, Vni{77});
  EXPECT_EQ(it.bridge, "");
  ASSERT_EQ(it.routes.size(), 1u);
  EXPECT_EQ(*it.routes[0].via, ip("10.40.0.1"));
  const auto& net = state.overlay_networks.at(Vni{77});
  EXPECT_EQ(net.gateway_mac, driver::kAnycastGatewayMac);
  EXPECT_EQ(net.gateway, ip("10.40.0.1"));
  EXPECT_EQ(state.masquerades, (std::set<dataplane::Masquerade>{{prefix("10.40.0.0/20"), "hdx0"}}));
}

TEST_F(OverlayDriverTest, AnInternalNetworkHasNoWayThroughTheHost) {
  network().internal = true;
  const auto state = planned();
  EXPECT_TRUE(state.masquerades.empty());
  EXPECT_TRUE(state.host_routes.empty());
  EXPECT_TRUE(state.overlay_networks.at(Vni{77}).internal);
  EXPECT_EQ(state.rules,
            (std::set<dataplane::NetworkRules>{{"hdx0", {prefix("10.40.0.0/20")}, false, false}}));
  EXPECT_EQ(state.overlay_addresses.size(), 2u);
}

TEST_F(OverlayDriverTest, AnUnreachableNodesAddressesStayAndAGoneNodesLeave) {
  build.view().unreachable.insert("h2");
  EXPECT_EQ(planned().overlay_addresses.size(), 2u);
  build.view().nodes.erase("h2");
  EXPECT_EQ(planned().overlay_addresses.size(), 1u);
}

TEST_F(OverlayDriverTest, TheMtuOptionIsBoundedByTheUnderlay) {
  network().options = {{"mtu", "1400"}};
  EXPECT_TRUE(driver.validate(network(), facts));
  EXPECT_EQ(planned().attachments.begin()->second.mtu, 1400u);
  network().options = {{"mtu", "1451"}};
  EXPECT_FALSE(driver.validate(network(), facts));
  facts.underlay_mtu = 9000;
  EXPECT_TRUE(driver.validate(network(), facts));
  facts.underlay_mtu = 1280;
  EXPECT_EQ(planned().attachments.begin()->second.mtu, 1230u) << "what fits here";
}

TEST_F(OverlayDriverTest, AffinityIsANumberOfSecondsUpToADay) {
  for (const char* good : {"1", "600", "86400"}) {
    network().options = {{"affinity", good}};
    EXPECT_TRUE(driver.validate(network(), facts)) << good;
  }
  for (const char* bad : {"0", "86401", "10m", ""}) {
    network().options = {{"affinity", bad}};
    EXPECT_FALSE(driver.validate(network(), facts)) << bad;
  }
}

TEST_F(OverlayDriverTest, RefusesMoreThanOneSubnetAndForeignOptions) {
  network().options = {{"bridge.name", "x"}};
  EXPECT_FALSE(driver.validate(network(), facts));
  network().options.clear();
  network().subnets.push_back({prefix("10.41.0.0/20"), ip("10.41.0.1")});
  EXPECT_FALSE(driver.validate(network(), facts));
  network().subnets.clear();
  EXPECT_TRUE(driver.validate(network(), facts)) << "the manager chooses one";
}

TEST_F(OverlayDriverTest, SaysWhatItDoesNotCarry) {
  const auto refusal = [&] {
    const auto result = driver.validate(network(), facts);
    return result ? "" : result.error().text();
  };
  network().subnets = {{prefix("fd00::/64"), ip("fd00::1"), {}, {}}};
  EXPECT_NE(refusal().find("is IPv6, which driver overlay does not carry yet"), std::string::npos);
  network().subnets = {{prefix("10.40.0.0/20"), ip("10.40.0.1"), prefix("10.40.8.0/21"), {}}};
  EXPECT_NE(refusal().find("range 10.40.8.0/21"), std::string::npos);
  model::Endpoint endpoint = build.view().endpoints.at("c1-app");
  EXPECT_TRUE(driver.check_endpoint(network(), endpoint, build.view()));
  endpoint.link_local = {{ip("169.254.1.1"), 16}};
  EXPECT_EQ(driver.check_endpoint(network(), endpoint, build.view()).error().code(),
            Errc::unsupported);
}

TEST_F(OverlayDriverTest, PublishesPortsOfEndpointsHere) {
  build.view().endpoints.at("c1-app").published = {
      {std::nullopt, 8080, 80, 1, model::PublishedProtocol::sctp}};
  build.view().endpoints.at("c2-app").published = {
      {std::nullopt, 9090, 90, 1, model::PublishedProtocol::tcp}};
  const std::map<dataplane::PublishedKey, dataplane::PublishedTarget> expected{
      {{dataplane::Protocol::sctp, {}, 8080}, {ip("10.40.0.5"), 80}}};
  EXPECT_EQ(planned().published, expected);
}

}  // namespace
}  // namespace heddle::overlay
