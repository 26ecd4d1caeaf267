#include "netd/reconcile/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "dataplane/intent/advance.h"
#include "netd/driver/bridge/bridge_driver.h"
#include "netd/driver/macvlan/macvlan_driver.h"
#include "netd/driver/names.h"
#include "netd/driver/overlay/overlay_driver.h"
#include "netd/reconcile/network_number.h"
#include "netd/reconcile/survey.h"
#include "tests/support/views.h"

namespace heddle::reconcile {
namespace {

using dataplane::HostState;
using model::EndpointState;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using tests::ip;
using tests::port;
using tests::prefix;
using tests::ViewBuilder;

class PlanTest : public ::testing::Test {
 protected:
  PlanTest() {
    drivers.add(std::make_unique<bridge::BridgeDriver>());
    drivers.add(std::make_unique<overlay::OverlayDriver>());
    drivers.add(std::make_unique<macvlan::MacvlanDriver>());
    facts.underlay_device = "eth0";
    facts.underlay_address = ip("192.0.2.1");
    facts.epoch = 7;
    facts.cgroup = "/sys/fs/cgroup/heddle";
    build.swarm("h1").node("h1", "192.0.2.1").node("h2", "192.0.2.2");
    build.network("app", "overlay", "10.40.0.0/20", 77);
    build.network("blue", "bridge", "172.20.0.0/24");
  }
  HostState planned() { return plan(build.view(), facts, drivers); }
  model::View& view() { return build.view(); }
  model::Endpoint& backend(model::Endpoint& endpoint) {
    endpoint.service = "web";
    endpoint.ports = {port(8080)};
    return endpoint;
  }
  const dataplane::ServiceEntry& web(const HostState& state) {
    return state.services.at({ip("10.40.15.1"), 8080, dataplane::Protocol::tcp});
  }

  ViewBuilder build;
  driver::NodeFacts facts;
  driver::DriverSet drivers;
};

TEST_F(PlanTest, AnEmptySwarmNodeHasItsUnderlayAlone) {
  const HostState state = planned();
  EXPECT_TRUE(state.underlay);
  HostState expected;
  expected.underlay = state.underlay;
  EXPECT_EQ(state, expected);
}

TEST_F(PlanTest, OnlyPresentNetworksArePlanned) {
  build.remote("h2", "c2", "app", "10.40.0.9");
  build.service("web", "app", "10.40.15.1");
  const HostState state = planned();
  EXPECT_THAT(state.overlay_networks, IsEmpty());
  EXPECT_THAT(state.overlay_addresses, IsEmpty());
  EXPECT_THAT(state.services, IsEmpty());
  EXPECT_THAT(state.bridges, IsEmpty());
}

TEST_F(PlanTest, BackendsAreTheUsableEndpointsInOrder) {
  build.workload("c1");
  backend(build.endpoint("c1", "app", "10.40.0.5"));
  backend(build.remote("h2", "c2", "app", "10.40.0.3"));
  build.remote("h2", "c3", "app", "10.40.0.4");
  build.service("web", "app", "10.40.15.1");
  EXPECT_THAT(web(planned()).backends,
              ElementsAre(dataplane::BackendAddress{ip("10.40.0.3"), 8080},
                          dataplane::BackendAddress{ip("10.40.0.5"), 8080}));
  EXPECT_EQ(web(planned()).network, 77u);

  view().unreachable.insert("h2");
  EXPECT_THAT(web(planned()).backends,
              ElementsAre(dataplane::BackendAddress{ip("10.40.0.5"), 8080}));
  EXPECT_TRUE(planned().overlay_addresses.contains({Vni{77}, ip("10.40.0.3")}));

  view().endpoints.at("c1-app").service.clear();
  EXPECT_THAT(web(planned()).backends, IsEmpty()) << "the entry stays: refused, not timed out";
}

TEST_F(PlanTest, BackendsThatDrainOrFailStayAndDrawNothingNew) {
  using dataplane::BackendUse;
  build.workload("c1");
  backend(build.endpoint("c1", "app", "10.40.0.5")).weight = 3;
  backend(build.remote("h2", "c2", "app", "10.40.0.3"));
  build.service("web", "app", "10.40.15.1");
  EXPECT_EQ(web(planned()).affinity, 0U);
  view().networks.at("app").options["affinity"] = "600";
  EXPECT_EQ(web(planned()).backends[1].weight, 3);
  EXPECT_EQ(web(planned()).affinity, 600U);
  view().endpoints.at("c1-app").state = EndpointState::draining;
  view().endpoints.at("c2-app").state = EndpointState::starting;
  EXPECT_THAT(
      web(planned()).backends,
      ElementsAre(dataplane::BackendAddress{ip("10.40.0.3"), 8080, BackendUse::failing},
                  dataplane::BackendAddress{ip("10.40.0.5"), 8080, BackendUse::draining, 3}));
  view().unreachable.insert("h2");
  EXPECT_THAT(web(planned()).backends, ElementsAre(dataplane::BackendAddress{
                                           ip("10.40.0.5"), 8080, BackendUse::draining, 3}));
}

TEST_F(PlanTest, BackendsOfADrainedNodeDrain) {
  build.workload("c1");
  backend(build.remote("h2", "c2", "app", "10.40.0.3"));
  backend(build.endpoint("c1", "app", "10.40.0.5"));
  build.service("web", "app", "10.40.15.1");
  view().drained.insert("h2");
  ASSERT_THAT(web(planned()).backends, SizeIs(2));
  EXPECT_EQ(web(planned()).backends[0].use, dataplane::BackendUse::draining);
  EXPECT_EQ(web(planned()).backends[1].use, dataplane::BackendUse::ready);
}

TEST_F(PlanTest, AServiceHasAnEntryPerPortAndABackendOnlyWhereItServesIt) {
  build.workload("c1");
  backend(build.endpoint("c1", "app", "10.40.0.5"));
  build.service("web", "app", "10.40.15.1").ports = {port(8080, "http"),
                                                     port(53, "dns", model::Protocol::udp)};
  const HostState state = planned();
  EXPECT_THAT(state.services, SizeIs(2));
  EXPECT_THAT(web(state).backends, SizeIs(1));
  EXPECT_THAT(state.services.at({ip("10.40.15.1"), 53, dataplane::Protocol::udp}).backends,
              IsEmpty());
}

TEST_F(PlanTest, TheFirstConnectedNetworkThatIsNotInternalGivesTheWayOut) {
  build.network("inner", "bridge", "172.21.0.0/24").internal = true;
  build.workload("c1");
  build.endpoint("c1", "inner", "172.21.0.2").created = model::Time(std::chrono::seconds(1));
  build.endpoint("c1", "blue", "172.20.0.2").created = model::Time(std::chrono::seconds(2));
  build.endpoint("c1", "app", "10.40.0.5").created = model::Time(std::chrono::seconds(3));
  const HostState state = planned();
  EXPECT_THAT(state.attachments.at(driver::host_device("c1-inner")).routes, IsEmpty());
  EXPECT_THAT(state.attachments.at(driver::host_device("c1-blue")).routes, SizeIs(1));
  EXPECT_THAT(state.attachments.at(driver::host_device("c1-app")).routes, IsEmpty());
}

TEST_F(PlanTest, OfNetworksConnectedWithinOneSecondTheFirstInterfaceGivesTheWayOut) {
  build.workload("c1");
  build.endpoint("c1", "blue", "172.20.0.2").interface = "eth0";
  build.endpoint("c1", "app", "10.40.0.5").interface = "eth1";  // its id is the lower one
  const HostState state = planned();
  EXPECT_THAT(state.attachments.at(driver::host_device("c1-blue")).routes, SizeIs(1));
  EXPECT_THAT(state.attachments.at(driver::host_device("c1-app")).routes, IsEmpty());
}

TEST_F(PlanTest, MembersKnowTheirNetworksByNumber) {
  build.workload("c1");
  build.endpoint("c1", "blue", "172.20.0.2");
  build.endpoint("c1", "app", "10.40.0.5");
  const auto numbers = number_networks(view());
  EXPECT_EQ(numbers.at("app"), 77u);
  EXPECT_TRUE(numbers.at("blue") & 0x8000'0000u);
  const HostState state = planned();
  ASSERT_THAT(state.members, SizeIs(1));
  EXPECT_EQ(state.members.begin()->second.networks,
            (std::set<std::uint32_t>{77u, numbers.at("blue")}));
  EXPECT_TRUE(state.members.begin()->second.resolver);
}

TEST_F(PlanTest, WorkloadsOfOneSandboxShareItsMembership) {
  build.workload("c1");
  build.workload("c2").sandbox = "/run/heddle/netns/c1";
  build.endpoint("c1", "blue", "172.20.0.2");
  build.endpoint("c2", "app", "10.40.0.5");
  const HostState state = planned();
  ASSERT_THAT(state.members, SizeIs(1));
  EXPECT_THAT(state.members.begin()->second.networks, SizeIs(2));
  const auto routes = state.attachments.at(driver::host_device("c1-blue")).routes.size() +
                      state.attachments.at(driver::host_device("c2-app")).routes.size();
  EXPECT_EQ(routes, 1u) << "one default route per sandbox";
}

TEST_F(PlanTest, AMissingSandboxIsLeftOut) {
  build.workload("c1");
  build.endpoint("c1", "app", "10.40.0.5");
  view().sidecars["c1"] = {"c1"};
  facts.missing_sandboxes = {"/run/heddle/netns/c1"};
  const HostState state = planned();
  EXPECT_THAT(state.attachments, IsEmpty());
  EXPECT_THAT(state.members, IsEmpty());
  EXPECT_THAT(state.interceptions, IsEmpty());
  EXPECT_THAT(state.overlay_networks, IsEmpty());
}

TEST_F(PlanTest, AGoneEndpointIsLeftOut) {
  build.workload("c1");
  build.endpoint("c1", "app", "10.40.0.5").state = EndpointState::gone;
  EXPECT_THAT(planned().attachments, IsEmpty());
}

TEST_F(PlanTest, ASidecarGetsTheTcpPortsOfItsWorkload) {
  build.workload("c1");
  model::Endpoint& endpoint = build.endpoint("c1", "app", "10.40.0.5");
  endpoint.service = "web";
  endpoint.ports = {port(8080), port(9090), port(53, "", model::Protocol::udp)};
  view().sidecars["c1"] = {"c1"};
  view().sidecars["elsewhere"] = {"elsewhere"};
  const HostState state = planned();
  ASSERT_THAT(state.interceptions, SizeIs(1));
  const auto& it = state.interceptions.at("/run/heddle/netns/c1");
  EXPECT_THAT(it.inbound, ElementsAre(8080, 9090));
  EXPECT_EQ(it.outbound_port, 15001);
  EXPECT_EQ(it.inbound_port, 15006);
  EXPECT_EQ(it.proxy_cgroup, "/sys/fs/cgroup/heddle/proxy-c1");
}

TEST_F(PlanTest, LocalEndpointsFromBeforeTheJoinStayHere) {
  build.workload("c1");
  build.endpoint("c1", "blue", "172.20.0.2").node = "";
  EXPECT_THAT(planned().attachments, SizeIs(1));
}

TEST_F(PlanTest, ChecksANetworkAgainstItsDriverAndTheOthers) {
  model::Network green = view().networks.at("blue");
  green.id = green.name = "green";
  EXPECT_TRUE(check_network(green, view(), facts, drivers));
  green.options = {{"bridge.name", "br0"}};
  view().networks.at("blue").options = {{"bridge.name", "br0"}};
  EXPECT_EQ(check_network(green, view(), facts, drivers).error().text(),
            "network 'blue' has br0 already (a bridge), which does not go with a bridge; choose "
            "another");
  green.scope = model::Scope::swarm;
  EXPECT_EQ(check_network(green, view(), facts, drivers).error().code(), Errc::invalid);
  green.driver = "fddi";
  EXPECT_EQ(check_network(green, view(), facts, drivers).error().text(),
            "no network driver 'fddi'; there are: bridge, overlay, macvlan");
}

// Goal: the fast path arrives where the whole plan does. Method: a history of changes, each applied
// by its own steps alone, compared with the whole plan after each.
class FastPathTest : public PlanTest {
 protected:
  // Returns the steps taken.
  std::size_t change(const std::function<void(model::View&)>& edit) {
    const model::View before = view();
    edit(view());
    const auto steps =
        plan_change({before, earlier, model::Index(before)}, {view(), facts, model::Index(view())},
                    drivers, model::compare(before, view()));
    EXPECT_TRUE(steps.has_value());
    if (!steps) return 0;
    earlier = facts;
    for (const auto& step : *steps) dataplane::advance(kernel, step);
    const HostState wanted = planned();
    HostState comparable = kernel;
    comparable.underlay = wanted.underlay;
    comparable.sysctls = wanted.sysctls;  // never taken back
    EXPECT_EQ(comparable, wanted);
    return steps->size();
  }
  driver::NodeFacts earlier = facts;
  HostState kernel;
};

TEST_F(FastPathTest, FollowsAWholeLife) {
  build.workload("c1");
  build.workload("c2");
  build.service("web", "app", "10.40.15.1");
  change([&](model::View&) { build.endpoint("c1", "app", "10.40.0.5"); });
  change([&](model::View&) { backend(build.remote("h2", "r1", "app", "10.40.0.9")); });
  change([&](model::View&) {
    backend(build.endpoint("c2", "app", "10.40.0.6")).state = EndpointState::starting;
  });
  EXPECT_EQ(change([](model::View& v) { v.endpoints.at("c2-app").state = EndpointState::ready; }),
            1u)
      << "readiness changes the service alone";
  change([&](model::View&) { build.endpoint("c1", "blue", "172.20.0.2"); });
  change([](model::View& v) { v.endpoints.erase("c1-app"); });
  change([](model::View& v) { v.endpoints.erase("r1-app"); });
  change([](model::View& v) { v.endpoints.erase("c1-blue"); });
  change([](model::View& v) { v.endpoints.erase("c2-app"); });
  HostState empty;
  empty.sysctls = kernel.sysctls;
  EXPECT_EQ(kernel, empty);
}

TEST_F(FastPathTest, AttachingToAPresentNetworkTouchesNothingElse) {
  for (int i = 1; i <= 3; ++i) {
    const std::string name = "c" + std::to_string(i);
    build.workload(name);
    const auto steps = change(
        [&](model::View&) { build.endpoint(name, "app", "10.40.0." + std::to_string(i + 4)); });
    if (i == 1) continue;
    EXPECT_EQ(steps, 4u) << "attachment, host route, address, member";
  }
}

TEST_F(FastPathTest, TakesAwayWhatADeadSandboxLeft) {
  build.workload("c1");
  change([&](model::View&) { build.endpoint("c1", "app", "10.40.0.5"); });
  facts.missing_sandboxes = {"/run/heddle/netns/c1"};
  change([](model::View& v) { v.endpoints.erase("c1-app"); });
  EXPECT_THAT(kernel.overlay_addresses, IsEmpty());
}

TEST_F(FastPathTest, ServiceRenamesTouchBothServices) {
  build.workload("c1");
  build.service("web", "app", "10.40.15.1");
  build.service("api", "app", "10.40.15.2");
  change([&](model::View&) { backend(build.endpoint("c1", "app", "10.40.0.5")); });
  EXPECT_EQ(change([](model::View& v) { v.endpoints.at("c1-app").service = "api"; }), 3u)
      << "and the first one's sockets end";
}

TEST_F(PlanTest, AVlanStaysWhileAnotherNetworkLiesOnIt) {
  facts.devices = {{"eth0", {1500, true}}};
  for (const char* name : {"lan1", "lan2"}) {
    const std::string subnet = std::string("192.168.7") + name[3] + ".0/24";
    build.network(name, "macvlan", subnet).options = {{"parent", "eth0"}, {"vlan", "7"}};
    build.workload(std::string("c") + name[3]);
  }
  build.endpoint("c1", "lan1", "192.168.71.2");
  const model::View one = view();
  build.endpoint("c2", "lan2", "192.168.72.2");
  const model::View both = view();
  const HostState before = plan(both, facts, drivers);
  EXPECT_EQ(before.vlans.size(), 1u);
  HostState state = before;
  const auto steps = plan_change({both, facts, model::Index(both)}, {one, facts, model::Index(one)},
                                 drivers, model::compare(both, one));
  ASSERT_TRUE(steps);
  for (const auto& operation : *steps) dataplane::advance(state, operation);
  EXPECT_EQ(state, plan(one, facts, drivers));
  EXPECT_EQ(state.vlans.size(), 1u);
}

TEST_F(PlanTest, NetworksOfOneDeviceMustGoTogether) {
  facts.devices = {{"eth0", {1500, true}}};
  build.network("lan1", "macvlan", "192.168.71.0/24").options = {{"parent", "eth0"}};
  model::Network other = view().networks.at("lan1");
  other.id = other.name = "lan2";
  EXPECT_TRUE(check_network(other, view(), facts, drivers));
  other.options["mode"] = "passthru";
  EXPECT_EQ(check_network(other, view(), facts, drivers).error().code(), Errc::conflict);
  other.config_only = true;
  EXPECT_TRUE(check_network(other, view(), facts, drivers)) << "takes nothing";
}

TEST_F(PlanTest, OfEachFamilyTheHighestPriorityIsTheWayOut) {
  build.network("green", "bridge", "172.21.0.0/24");
  build.view().networks["blue"].subnets.push_back({prefix("fd00::/64"), ip("fd00::1"), {}, {}});
  build.workload("c1");
  model::Endpoint& blue = build.endpoint("c1", "blue", "172.20.0.5");
  model::Endpoint& green = build.endpoint("c1", "green", "172.21.0.5");
  blue.address6 = IfAddr{ip("fd00::5"), 64};
  const auto ways = [&] {
    const Survey survey(view(), facts);
    std::string text;
    for (const auto& [id, site] : survey.sites()) {
      for (const driver::LocalEndpoint& local : site.local) {
        if (local.default_route) text += id + "4 ";
        if (local.default_route6) text += id + "6 ";
      }
    }
    return text;
  };
  EXPECT_EQ(ways(), "blue4 blue6 ") << "connected first, by id";
  green.gateway_priority = 1;
  EXPECT_EQ(ways(), "blue6 green4 ") << "green has no IPv6";
  blue.gateway_priority = 2;
  EXPECT_EQ(ways(), "blue4 blue6 ");
  blue.gateway_priority = -5;
  green.gateway_priority = -4;
  EXPECT_EQ(ways(), "blue6 green4 ");
  view().networks["green"].internal = true;
  EXPECT_EQ(ways(), "blue4 blue6 ");
  view().networks["green"].internal = false;
  view().networks["green"].subnets.front().gateway = IpAddr();
  EXPECT_EQ(ways(), "blue4 blue6 ") << "no gateway, no way out";
  view().networks["green"].driver = "ipvlan";
  EXPECT_EQ(ways(), "blue6 green4 ") << "ipvlan sends out of its parent";
}

}  // namespace
}  // namespace heddle::reconcile
