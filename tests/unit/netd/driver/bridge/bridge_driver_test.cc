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
  model::Endpoint& endpoint() {
    return build.view().endpoints.at(build.view().endpoints.begin()->first);
  }
  dataplane::HostState planned(bool default_route = true) {
    const model::Endpoint& endpoint = build.view().endpoints.begin()->second;
    const driver::Site site{
        network,
        build.view(),
        {{&endpoint, &build.view().workloads.at("c1"), default_route, default_route}},
        {}};
    dataplane::HostState into;
    driver.plan_node(build.view(), facts, into);
    driver.plan_network(site, facts, into);
    driver.plan_endpoints(site, facts, into);
    return into;
  }
  std::string refusal() {
    const auto result = driver.validate(network, facts);
    return result ? "" : result.error().text();
  }
  void add_v6() {
    network.subnets.push_back({prefix("fd00:7::/64"), ip("fd00:7::1"), {}, {}});
    endpoint().address6 = IfAddr{ip("fd00:7::2"), 64};
  }

  ViewBuilder build;
  model::Network& network;
  driver::NodeFacts facts;
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
  EXPECT_TRUE(
      refusal().starts_with("option 'mtuu' is unknown to driver bridge; did you mean 'mtu'?"))
      << refusal();
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
  network.subnets = {{prefix("fd00::/127"), ip("fd00::1")}};
  EXPECT_NE(refusal().find("must be from /16 to /126"), std::string::npos);
  network.subnets = {{prefix("10.0.0.0/31"), ip("10.0.0.0")}};
  EXPECT_NE(refusal().find("must be from /8 to /30"), std::string::npos);
  network.subnets = {{prefix("10.0.0.0/24"), ip("10.0.1.1")}};
  EXPECT_NE(refusal().find("gateway 10.0.1.1"), std::string::npos);
  network.subnets = {{prefix("10.0.0.0/24"), ip("10.0.0.255")}};
  EXPECT_NE(refusal().find("gateway 10.0.0.255"), std::string::npos);
  network.subnets = {{prefix("10.0.0.0/24"), {}}};
  EXPECT_NE(refusal().find("needs a gateway"), std::string::npos);
  network.subnets.clear();
  EXPECT_NE(refusal().find("has no subnet"), std::string::npos);
  network.subnets = {{prefix("10.0.0.0/8"), ip("10.0.0.1")}};
  EXPECT_EQ(refusal(), "");
}

TEST_F(BridgeDriverTest, TwoFamiliesHaveTheirGatewaysRoutesAndForwarding) {
  add_v6();
  facts.advertised_devices = {"eth0"};
  const auto state = planned();
  EXPECT_EQ(refusal(), "");
  const dataplane::Bridge& bridge = state.bridges.begin()->second;
  EXPECT_EQ(bridge.addresses, (std::vector<IfAddr>{{ip("172.20.0.1"), 24}, {ip("fd00:7::1"), 64}}));
  EXPECT_EQ(state.masquerades,
            (std::set<dataplane::Masquerade>{{prefix("172.20.0.0/24"), bridge.name},
                                             {prefix("fd00:7::/64"), bridge.name}}));
  EXPECT_EQ(state.sysctls,
            (std::map<std::string, std::string>{{"net/ipv4/ip_forward", "1"},
                                                {"net/ipv6/conf/all/forwarding", "1"},
                                                {"net/ipv6/conf/eth0/accept_ra", "2"}}));
  const dataplane::Attachment& it = state.attachments.begin()->second;
  EXPECT_EQ(it.addresses, (std::vector<IfAddr>{{ip("172.20.0.2"), 24}, {ip("fd00:7::2"), 64}}));
  EXPECT_EQ(it.routes, (std::vector<dataplane::Route>{{prefix("0.0.0.0/0"), ip("172.20.0.1")},
                                                      {prefix("::/0"), ip("fd00:7::1")}}));
}

TEST_F(BridgeDriverTest, AnIPv6OnlyNetworkLeavesIPv4Alone) {
  network.subnets = {{prefix("fd00:7::/64"), ip("fd00:7::1"), {}, {}}};
  endpoint().address = {ip("fd00:7::2"), 64};
  const auto state = planned();
  EXPECT_EQ(refusal(), "");
  EXPECT_FALSE(state.sysctls.contains("net/ipv4/ip_forward"));
  EXPECT_EQ(state.attachments.begin()->second.routes,
            (std::vector<dataplane::Route>{{prefix("::/0"), ip("fd00:7::1")}}));
}

TEST_F(BridgeDriverTest, AGrownSubnetChangesThePrefixOfItsEndpoints) {
  network.subnets[0].prefix = prefix("172.20.0.0/20");
  EXPECT_EQ(planned().attachments.begin()->second.addresses[0].format(), "172.20.0.2/20");
}

TEST_F(BridgeDriverTest, OtherSubnetsOfTheNetworkAreOnTheLink) {
  network.subnets.push_back({prefix("172.30.0.0/24"), ip("172.30.0.1"), {}, {}});
  EXPECT_EQ(planned(false).attachments.begin()->second.routes,
            (std::vector<dataplane::Route>{{prefix("172.30.0.0/24"), std::nullopt}}));
  EXPECT_EQ(planned().bridges.begin()->second.addresses.size(), 2u);
}

TEST_F(BridgeDriverTest, TheDefaultMtuIsThatOfTheWayOut) {
  facts.egress_mtu = 1420;
  EXPECT_EQ(planned().bridges.begin()->second.mtu, 1420u);
  EXPECT_EQ(planned().attachments.begin()->second.mtu, 1420u);
  facts.egress_mtu = 1000;
  add_v6();
  EXPECT_EQ(planned().bridges.begin()->second.mtu, 1280u) << "IPv6 needs it";
  network.options = {{"mtu", "1279"}};
  EXPECT_NE(refusal().find("from 1280 to 65535 in a network with IPv6"), std::string::npos);
}

TEST_F(BridgeDriverTest, GatewayModesDecideWhatIsMasqueraded) {
  add_v6();
  network.options = {{"gateway-mode.ipv6", "routed"}};
  EXPECT_EQ(refusal(), "");
  EXPECT_EQ(planned().masquerades,
            (std::set<dataplane::Masquerade>{{prefix("172.20.0.0/24"), "hdb0123456789"}}));
  network.options = {{"masquerade", "false"}};
  EXPECT_TRUE(planned().masquerades.empty());
  EXPECT_EQ(planned().sysctls.size(), 2u);
}

TEST_F(BridgeDriverTest, RulesSayWhoMayBeginInEachFamily) {
  using dataplane::NetworkRules;
  const std::string bridge = "hdb0123456789";
  network.subnets.push_back({prefix("172.19.0.0/24"), ip("172.19.0.1"), {}, {}});
  EXPECT_EQ(planned().rules,
            (std::set<NetworkRules>{
                {bridge, {prefix("172.19.0.0/24"), prefix("172.20.0.0/24")}, false, true}}));
  network.subnets.pop_back();
  add_v6();
  network.options = {{"gateway-mode.ipv6", "routed"}};
  EXPECT_EQ(planned().rules,
            (std::set<NetworkRules>{{bridge, {prefix("172.20.0.0/24")}, false, true},
                                    {bridge, {prefix("fd00:7::/64")}, true, true}}));
  network.options.clear();
  network.internal = true;
  EXPECT_EQ(planned().rules,
            (std::set<NetworkRules>{{bridge, {prefix("172.20.0.0/24")}, false, false},
                                    {bridge, {prefix("fd00:7::/64")}, false, false}}));
}

TEST_F(BridgeDriverTest, AnIsolatedNetworkHasNoAddressOnTheHost) {
  network.internal = true;
  network.options = {{"gateway-mode", "isolated"}};
  EXPECT_NE(refusal().find("has no gateway in gateway mode isolated"), std::string::npos);
  network.subnets[0].gateway = {};
  EXPECT_EQ(refusal(), "");
  EXPECT_FALSE(driver.has_gateway(network, driver::Family::v4));
  EXPECT_TRUE(planned().bridges.begin()->second.addresses.empty());
  EXPECT_TRUE(planned().attachments.begin()->second.routes.empty());
  EXPECT_TRUE(planned().sysctls.empty());
}

TEST_F(BridgeDriverTest, RefusesModesThatContradict) {
  network.options = {{"gateway-mode", "natt"}};
  EXPECT_NE(refusal().find("must be nat, routed or isolated"), std::string::npos);
  network.options = {{"gateway-mode", "isolated"}};
  EXPECT_NE(refusal().find("add --internal"), std::string::npos);
  network.options = {{"gateway-mode", "routed"}, {"masquerade", "true"}};
  EXPECT_NE(refusal().find("leave masquerade=true out"), std::string::npos);
  network.internal = true;
  network.options = {{"gateway-mode", "routed"}};
  EXPECT_NE(refusal().find("contradict"), std::string::npos);
}

TEST_F(BridgeDriverTest, EndpointsAreKeptApartAndLimitedAsAsked) {
  network.options = {{"icc", "false"}, {"multicast-snooping", "false"}};
  endpoint().rate_in = 1000;
  endpoint().rate_out = 2000;
  endpoint().interface = "eth.5";
  endpoint().sysctls = {{"net.ipv4.conf.IFNAME.rp_filter", "2"}};
  endpoint().link_local = {{ip("169.254.7.7"), 16}};
  const auto state = planned();
  EXPECT_FALSE(state.bridges.begin()->second.multicast_snooping);
  const auto& it = state.attachments.begin()->second;
  EXPECT_TRUE(it.isolated);
  EXPECT_EQ(it.rate_in, 1000u);
  EXPECT_EQ(it.rate_out, 2000u);
  EXPECT_EQ(it.sysctls,
            (std::map<std::string, std::string>{{"net/ipv4/conf/eth.5/rp_filter", "2"}}));
  EXPECT_EQ(it.addresses[0], (IfAddr{ip("169.254.7.7"), 16}));
}

TEST_F(BridgeDriverTest, PublishedPortsAreOneEntryForEachPortAndFamily) {
  using dataplane::PublishedKey;
  using dataplane::PublishedTarget;
  add_v6();
  endpoint().published = {{std::nullopt, 8080, 80, 2, model::PublishedProtocol::tcp},
                          {ip("192.0.2.7"), 53, 5353, 1, model::PublishedProtocol::udp},
                          {std::nullopt, 0, 90, 1, model::PublishedProtocol::tcp}};
  const IpAddr any6 = ip("::");
  const std::map<PublishedKey, PublishedTarget> expected{
      {{dataplane::Protocol::tcp, {}, 8080}, {ip("172.20.0.2"), 80}},
      {{dataplane::Protocol::tcp, {}, 8081}, {ip("172.20.0.2"), 81}},
      {{dataplane::Protocol::tcp, any6, 8080}, {ip("fd00:7::2"), 80}},
      {{dataplane::Protocol::tcp, any6, 8081}, {ip("fd00:7::2"), 81}},
      {{dataplane::Protocol::udp, ip("192.0.2.7"), 53}, {ip("172.20.0.2"), 5353}}};
  EXPECT_EQ(planned().published, expected);
  EXPECT_TRUE(driver.check_endpoint(network, endpoint(), build.view()));
  network.internal = true;
  EXPECT_EQ(driver.check_endpoint(network, endpoint(), build.view()).error().code(),
            Errc::unsupported);
}

TEST_F(BridgeDriverTest, ABridgeHas1023PortsAndTheNextEndpointIsToldSo) {
  model::View& view = build.view();
  const auto add = [&] {
    model::Endpoint other;
    other.id = "other-" + std::to_string(view.endpoints.size());
    other.network = network.id;
    view.endpoints.emplace(other.id, other);
  };
  model::Endpoint next = endpoint();
  next.id = "next";
  while (view.endpoints.size() < 1022) add();
  EXPECT_TRUE(driver.check_endpoint(network, next, view));
  add();
  ASSERT_EQ(view.endpoints.size(), 1023u);
  EXPECT_TRUE(driver.check_endpoint(network, endpoint(), view)) << "one that has its port";
  const auto refused = driver.check_endpoint(network, next, view);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::exhausted);
  EXPECT_NE(refused.error().text().find("make another network"), std::string::npos);
}

TEST_F(BridgeDriverTest, ADeviceOfTheHostIsNoNameForItsBridge) {
  network.options = {{"bridge.name", "eth0"}};
  EXPECT_EQ(refusal(), "");
  facts.devices["eth0"] = {};
  EXPECT_EQ(driver.validate(network, facts).error().code(), Errc::in_use);
}

TEST_F(BridgeDriverTest, DockersNamesAreTaken) {
  const auto options =
      driver::normalise_options("bridge", driver.options(),
                                {{"com.docker.network.bridge.name", "br0"},
                                 {"com.docker.network.bridge.enable_icc", "0"},
                                 {"com.docker.network.driver.mtu", "1400"},
                                 {"masquerade", "Yes"},
                                 {"com.docker.network.bridge.gateway_mode_ipv6", "routed"}});
  ASSERT_TRUE(options);
  EXPECT_EQ(*options, (driver::Options{{"bridge.name", "br0"},
                                       {"icc", "false"},
                                       {"mtu", "1400"},
                                       {"masquerade", "true"},
                                       {"gateway-mode.ipv6", "routed"}}));
  const auto error = [&](const driver::Options& given) {
    return driver::normalise_options("bridge", driver.options(), given).error().text();
  };
  EXPECT_NE(error({{"mtu", "1"}, {"com.docker.network.driver.mtu", "1"}}).find("give it once"),
            std::string::npos);
  EXPECT_NE(error({{"icc", "maybe"}}).find("must be true or false"), std::string::npos);
  EXPECT_NE(error({{"com.docker.network.bridge.enable_ic", "1"}})
                .find("did you mean 'com.docker.network.bridge.enable_icc'"),
            std::string::npos);
}

}  // namespace
}  // namespace heddle::bridge
