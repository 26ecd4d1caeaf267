#include "netd/driver/macvlan/macvlan_driver.h"

#include <gtest/gtest.h>

#include "netd/driver/names.h"
#include "tests/support/views.h"

namespace heddle::macvlan {
namespace {

using tests::ip;
using tests::prefix;
using tests::ViewBuilder;

class MacvlanDriverTest : public ::testing::Test {
 protected:
  MacvlanDriverTest() : network(build.network("lan", "macvlan", "192.168.7.0/24")) {
    build.workload("c1");
    build.endpoint("c1", "lan", "192.168.7.20");
    network.options = {{"parent", "eth0"}};
    facts.devices = {{"eth0", {9000, true}}, {"eth1", {1500, false}}};
  }
  model::Endpoint& endpoint() { return build.view().endpoints.at("c1-lan"); }
  dataplane::HostState planned() {
    const driver::Site site{
        network, build.view(), {{&endpoint(), &build.view().workloads.at("c1"), true}}, {}};
    dataplane::HostState into;
    driver.plan_network(site, facts, into);
    driver.plan_endpoints(site, facts, into);
    return into;
  }
  std::string refusal() {
    const auto result = driver.validate(network, facts);
    return result ? "" : result.error().text();
  }

  ViewBuilder build;
  model::Network& network;
  driver::NodeFacts facts;
  MacvlanDriver driver;
};

TEST_F(MacvlanDriverTest, PlansTheInterfaceOnItsParentAndNothingElse) {
  network.options["mode"] = "private";
  EXPECT_EQ(refusal(), "");
  dataplane::Attachment expected;
  expected.host_name = driver::host_device("c1-lan");
  expected.kind = dataplane::LinkKind::macvlan;
  expected.sandbox = "/run/heddle/netns/c1";
  expected.name = "eth0";
  expected.mac = endpoint().mac;
  expected.mtu = 9000;
  expected.addresses = {{ip("192.168.7.20"), 24}};
  expected.routes = {{prefix("0.0.0.0/0"), ip("192.168.7.1")}};
  expected.parent = "eth0";
  expected.mode = dataplane::ParentMode::separate;
  dataplane::HostState state;
  state.attachments.emplace(expected.host_name, expected);
  EXPECT_EQ(planned(), state);
}

TEST_F(MacvlanDriverTest, MakesTheVlanThatIsAskedForEitherWay) {
  const dataplane::VlanDevice vlan{"eth0.50", "eth0", 50};
  network.options = {{"parent", "eth0"}, {"vlan", "50"}};
  EXPECT_EQ(refusal(), "");
  EXPECT_EQ(planned().vlans.at("eth0.50"), vlan);
  network.options = {{"parent", "eth0.50"}};
  EXPECT_EQ(refusal(), "");
  EXPECT_EQ(planned().vlans.at("eth0.50"), vlan);
  EXPECT_EQ(planned().attachments.begin()->second.parent, "eth0.50");
  EXPECT_EQ(planned().attachments.begin()->second.mtu, 9000u);

  facts.devices["eth0.50"] = {1500, true};
  EXPECT_TRUE(planned().vlans.empty()) << "the host's own";
  EXPECT_EQ(planned().attachments.begin()->second.mtu, 1500u);
  facts.devices.erase("eth0.50");
  facts.has_vlan = false;
  EXPECT_NE(refusal().find("no VLAN devices (module 8021q)"), std::string::npos);
}

TEST_F(MacvlanDriverTest, RefusesBadOptionsByName) {
  const auto refused = [&](driver::Options options, const std::string& why) {
    network.options = std::move(options);
    EXPECT_NE(refusal().find(why), std::string::npos) << why << " / " << refusal();
  };
  refused({}, "--opt parent=eth0");
  refused({{"parent", "eth9"}}, "no network device 'eth9'; it has eth0, eth1");
  refused({{"parent", "eth9.5"}}, "no network device 'eth9'");
  refused({{"parent", "eth1"}}, "ip link set eth1 up");
  refused({{"parent", "a/b"}}, "option parent 'a/b' must be");
  for (const char* vlan : {"0", "4095", "x", "-1", "50x", "99999"}) {
    refused({{"parent", "eth0"}, {"vlan", vlan}}, "must be a number from 1 to 4094");
  }
  refused({{"parent", "eth0"}, {"mode", "l2"}}, "must be bridge, vepa, private or passthru");
  refused({{"parent", "eth0"}, {"mtu", "9001"}}, "from 576 to 9000");
  refused({{"parent", "eth0"}, {"icc", "true"}}, "unknown to driver macvlan");
  facts.has_macvlan = false;
  refused({{"parent", "eth0"}}, "module macvlan");
}

TEST_F(MacvlanDriverTest, EndpointsCannotHaveWhatNeedsAHostSide) {
  EXPECT_TRUE(driver.check_endpoint(network, endpoint(), build.view()));
  endpoint().rate_in = 1;
  EXPECT_EQ(driver.check_endpoint(network, endpoint(), build.view()).error().code(),
            Errc::unsupported);
  endpoint().rate_in = 0;
  endpoint().published = {{std::nullopt, 80, 80, 1, model::PublishedProtocol::tcp}};
  EXPECT_EQ(driver.check_endpoint(network, endpoint(), build.view()).error().code(),
            Errc::unsupported);
  EXPECT_TRUE(planned().published.empty());
}

TEST_F(MacvlanDriverTest, PassthruServesOneEndpointAndClaimsItsParent) {
  EXPECT_EQ(driver.claim(network).share, driver::Claim::Share::together);
  network.options["mode"] = "passthru";
  EXPECT_EQ(driver.claim(network).share, driver::Claim::Share::alone);
  EXPECT_TRUE(driver.check_endpoint(network, endpoint(), build.view()));
  model::Endpoint second = endpoint();
  second.id = "c2-lan";
  const auto refused = driver.check_endpoint(network, second, build.view());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text(), "mode passthru gives eth0 to one endpoint, and c1 has it");
}

}  // namespace
}  // namespace heddle::macvlan
