// Networks through Control, with a kernel and a host in memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "netd/driver/names.h"
#include "tests/unit/netd/control/node_fixture.h"

namespace heddle::control {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Prefix p(const char* text) {
  return *Prefix::parse(text);
}
IpAddr a(const char* text) {
  return *IpAddr::parse(text);
}

class NetworksTest : public NodeTest {
 protected:
  NetworksTest() {
    host_.devices = {{"eth0", {1500, true}}};
    kernel_.add_device("eth0");
  }
  std::string refusal(NetworkSpec spec) {
    const auto made = create(std::move(spec));
    return made ? "" : made.error().text();
  }
  const dataplane::Attachment& attachment() { return kernel_.state().attachments.begin()->second; }
};

TEST_F(NetworksTest, SubnetsOfBothFamiliesGetWhatBelongsToThem) {
  start();
  const auto made = create({.name = "blue",
                            .subnets = {p("fd00:9::/64"), p("10.0.0.0/8")},
                            .gateways = {a("10.9.9.9")},
                            .ranges = {p("10.128.0.0/9")},
                            .reserved = {{"router", a("fd00:9::1")}},
                            .labels = {{"tier", "web"}}});
  ASSERT_TRUE(made) << made.error().text();
  EXPECT_EQ(made->subnets,
            (std::vector<model::Subnet>{
                {p("10.0.0.0/8"), a("10.9.9.9"), p("10.128.0.0/9"), {}},
                {p("fd00:9::/64"), a("fd00:9::2"), {}, {{"router", a("fd00:9::1")}}}}));
  EXPECT_EQ(control_->view()->networks.at(made->id), *made);
}

TEST_F(NetworksTest, IPv6SubnetsComeFromOneUniqueLocalPrefixThatOutlivesTheDaemon) {
  start();
  const auto first = create({.name = "a", .ipv6 = true});
  ASSERT_TRUE(first) << first.error().text();
  ASSERT_THAT(first->subnets, SizeIs(2));
  const Prefix one = first->subnets[1].prefix;
  EXPECT_EQ(one.length(), 64);
  EXPECT_EQ(one.address().bytes()[0], 0xfd);
  control_.reset();
  start();
  const auto second = create({.name = "b", .ipv4 = false, .ipv6 = true});
  ASSERT_TRUE(second) << second.error().text();
  ASSERT_THAT(second->subnets, SizeIs(1));
  const Prefix two = second->subnets[0].prefix;
  EXPECT_NE(one, two);
  EXPECT_EQ(Prefix::containing(one.address(), 48), Prefix::containing(two.address(), 48));
}

TEST_F(NetworksTest, ChosenSubnetsKeepClearOfRoutesAndOfWhatIsNeverToBeChosen) {
  host_.routes = {{p("172.20.0.0/16"), "tun0"}};
  never_ = {p("172.21.0.0/16")};
  start();
  EXPECT_EQ(create({.name = "a"})->subnets[0].prefix, p("172.22.0.0/20"));
  EXPECT_EQ(refusal({.name = "b", .subnets = {p("172.20.3.0/24")}}),
            "subnet 172.20.3.0/24 overlaps the host route 172.20.0.0/16 dev tun0");
  EXPECT_EQ(refusal({.name = "b", .subnets = {p("172.21.3.0/24")}}), "") << "asked for";
}

TEST_F(NetworksTest, BadRequestsNameWhatIsWrongAndChangeNothing) {
  host_.routes = {{p("fd00:5::/48"), "wg0"}};
  start();
  EXPECT_THAT(refusal({.name = "x", .ipv4 = false}), HasSubstr("needs addresses"));
  EXPECT_THAT(refusal({.name = "x", .subnets = {p("10.1.0.0/24")}, .ipv4 = false, .ipv6 = true}),
              HasSubstr("contradict"));
  EXPECT_THAT(refusal({.name = "x", .scope = model::Scope::swarm}),
              HasSubstr("driver bridge makes networks of scope local, not swarm"));
  EXPECT_THAT(refusal({.name = "x", .subnets = {p("fd00:5:0:1::/64")}}), HasSubstr("dev wg0"));
  EXPECT_THAT(refusal({.name = "x", .ipv6 = true, .options = {{"mtu", "1279"}}}),
              HasSubstr("from 1280 to 65535"));
  EXPECT_THAT(refusal({.name = "x", .options = {{"mtuu", "1400"}}}),
              HasSubstr("did you mean 'mtu'"));
  EXPECT_THAT(refusal({.name = "x", .options = {{"mtu", ""}}}), HasSubstr("has no value"));
  EXPECT_THAT(refusal({.name = "x", .options = {{"bridge.name", "eth0"}}}),
              HasSubstr("not Heddle's"));
  EXPECT_THAT(refusal({.name = "x", .driver = "host", .ipv6 = true}), HasSubstr("leave --ipv6"));
  EXPECT_THAT(refusal({.name = "x", .driver = "none", .subnets = {p("10.1.0.0/24")}}),
              HasSubstr("leave --subnet out"));
  EXPECT_THAT(refusal({.name = "x", .driver = "macvlan", .options = {{"parent", "eth7"}}}),
              HasSubstr("no network device 'eth7'"));
  EXPECT_THAT(refusal({.name = "x", .driver = "overlay", .ipv6 = true}), HasSubstr("IPv4 alone"));
  EXPECT_THAT(control_->view()->networks, IsEmpty());
  EXPECT_THAT(kernel_.applied(), IsEmpty());
}

TEST_F(NetworksTest, ParentsAreSharedOnlyByWhatGoesTogether) {
  start();
  const driver::Options parent{{"parent", "eth0"}};
  driver::Options passthru = parent;
  passthru["mode"] = "passthru";
  EXPECT_EQ(refusal({.name = "a", .driver = "macvlan", .options = parent}), "");
  EXPECT_EQ(refusal({.name = "b", .driver = "macvlan", .options = parent}), "");
  EXPECT_THAT(refusal({.name = "c", .driver = "macvlan", .options = passthru}),
              HasSubstr("has eth0 already (macvlan)"));
  EXPECT_THAT(refusal({.name = "c", .driver = "ipvlan", .options = parent}),
              HasSubstr("does not go with ipvlan l2"));
  passthru["vlan"] = "7";
  EXPECT_EQ(refusal({.name = "c", .driver = "macvlan", .options = passthru}), "");
  EXPECT_EQ(refusal({.name = "h", .driver = "host"}), "");
  EXPECT_THAT(refusal({.name = "h2", .driver = "host"}), HasSubstr("the host's own namespace"));
  EXPECT_EQ(connect({.network = "h", .workload = "c1"}).error().code(), Errc::unsupported);
}

TEST_F(NetworksTest, AMacvlanEndpointLiesOnItsVlan) {
  start();
  ASSERT_TRUE(create({.name = "lan",
                      .driver = "macvlan",
                      .subnets = {p("192.168.70.0/24")},
                      .options = {{"parent", "eth0"}, {"vlan", "7"}}}));
  const auto endpoint = connect({.network = "lan", .workload = "c1"});
  ASSERT_TRUE(endpoint) << endpoint.error().text();
  EXPECT_TRUE(kernel_.state().vlans.contains("eth0.7"));
  EXPECT_EQ(attachment().parent, "eth0.7");
  host_.devices["eth0.7"] = {1500, true};  // ours is no device of the host's
  EXPECT_THAT(control_->verify(Repair::no)->differences, IsEmpty());
  ASSERT_TRUE(control_->disconnect("lan", "c1", soon()));
  EXPECT_THAT(kernel_.state().vlans, IsEmpty());
}

TEST_F(NetworksTest, AConfigurationIsUsedAndNotConnectedTo) {
  start();
  ASSERT_TRUE(create({.name = "cfg",
                      .subnets = {p("172.28.0.0/24")},
                      .config_only = true,
                      .options = {{"mtu", "1400"}},
                      .labels = {{"a", "1"}}}));
  EXPECT_EQ(connect({.network = "cfg", .workload = "c1"}).error().code(), Errc::invalid);
  EXPECT_THAT(refusal({.name = "n", .subnets = {p("172.28.0.0/24")}, .config_from = "cfg"}),
              HasSubstr("--subnet cannot be given beside --config-from"));
  EXPECT_THAT(refusal({.name = "n", .driver = "overlay", .config_from = "cfg"}),
              HasSubstr("is one for driver bridge"));
  EXPECT_THAT(refusal({.name = "n", .config_from = "cf"}), HasSubstr("no network configuration"));
  const auto made = create({.name = "n", .config_from = "cfg", .labels = {{"b", "2"}}});
  ASSERT_TRUE(made) << made.error().text();
  EXPECT_EQ(made->subnets[0].prefix, p("172.28.0.0/24"));
  EXPECT_EQ(made->options.at("mtu"), "1400");
  EXPECT_THAT(made->labels, SizeIs(2));
  EXPECT_THAT(refusal({.name = "m", .config_from = "cfg"}), HasSubstr("overlaps network n"));
  EXPECT_EQ(control_->remove_network("cfg", soon()).error().text(),
            "network 'cfg' is in use by network n; disconnect or remove them first");
  EXPECT_THAT(*control_->prune_networks({}, soon()), ElementsAre("n"));
  EXPECT_TRUE(control_->remove_network("cfg", soon()));
}

TEST_F(NetworksTest, ALiveNetworkGrowsWithoutItsEndpointsBeingMadeAnew) {
  start();
  ASSERT_TRUE(create({.name = "blue", .subnets = {p("172.29.0.0/24")}}));
  const auto endpoint = connect({.network = "blue", .workload = "c1"});
  ASSERT_TRUE(endpoint) << endpoint.error().text();
  const std::string device = attachment().host_name;
  const auto index = kernel_.index_of(device);
  const auto updated = control_->update_network(
      {.network = "blue",
       .subnets = {p("172.29.0.0/20"), p("172.30.0.0/24"), p("fd00:9::/64")},
       .options = {{"mtu", "1400"}},
       .labels = {{"tier", "web"}}},
      soon());
  ASSERT_TRUE(updated) << updated.error().text();
  EXPECT_EQ(kernel_.index_of(device), index);
  EXPECT_EQ(attachment().addresses,
            (std::vector<IfAddr>{{endpoint->address.address, 20}, {a("fd00:9::2"), 64}}));
  EXPECT_EQ(attachment().mtu, 1400u);
  const auto& bridge = kernel_.state().bridges.begin()->second;
  EXPECT_EQ(
      bridge.addresses,
      (std::vector<IfAddr>{{a("172.29.0.1"), 20}, {a("172.30.0.1"), 24}, {a("fd00:9::1"), 64}}));
  EXPECT_EQ(control_->view()->endpoints.begin()->second.address.length, 20);
  EXPECT_EQ(control_->view()->networks.begin()->second.labels.at("tier"), "web");
  EXPECT_THAT(control_->verify(Repair::no)->differences, IsEmpty());
}

TEST_F(NetworksTest, Ipv6ComesToEndpointsThatAreConnectedAlready) {
  start();
  ASSERT_TRUE(create({.name = "blue", .subnets = {p("172.29.0.0/24")}}));
  const auto one = connect({.network = "blue", .workload = "c1"});
  const auto two = connect({.network = "blue", .workload = "c2"});
  ASSERT_TRUE(one && two);
  const auto index = kernel_.index_of(driver::host_device(one->id));
  ASSERT_TRUE(control_->update_network(
      {.network = "blue", .subnets = {p("fd00:9::/64")}, .ipv6 = true}, soon()));
  const auto view = control_->view();
  const model::Endpoint& first = view->endpoints.at(one->id);
  const model::Endpoint& second = view->endpoints.at(two->id);
  EXPECT_EQ(first.address, one->address);
  EXPECT_EQ(first.mac, one->mac);
  ASSERT_TRUE(first.address6 && second.address6);
  EXPECT_EQ(first.address6->length, 64);
  EXPECT_TRUE(p("fd00:9::/64").contains(first.address6->address));
  EXPECT_NE(first.address6->address, second.address6->address);
  EXPECT_EQ(kernel_.index_of(driver::host_device(one->id)), index) << "the same link";
  const auto third = connect({.network = "blue", .workload = "c3"});
  ASSERT_TRUE(third) << third.error().text();
  EXPECT_NE(*third->address6, *first.address6);
  EXPECT_NE(*third->address6, *second.address6);
  EXPECT_THAT(control_->verify(Repair::no)->differences, IsEmpty());
}

TEST_F(NetworksTest, UpdatesThatWouldCutConnectionsAreRefused) {
  host_.routes = {{p("172.29.8.0/24"), "tun0"}};
  start();
  ASSERT_TRUE(create({.name = "blue", .subnets = {p("172.29.0.0/24")}}));
  const auto before = control_->view()->networks;
  const auto text = [&](NetworkUpdate update) {
    update.network = "blue";
    const auto updated = control_->update_network(std::move(update), soon());
    return updated ? "" : updated.error().text();
  };
  EXPECT_THAT(text({}), HasSubstr("nothing to change"));
  EXPECT_THAT(text({.options = {{"bridge.name", "br0"}}}), HasSubstr("cannot be changed"));
  EXPECT_THAT(text({.options = {{"mtu", "12"}}}), HasSubstr("must be a number of bytes"));
  EXPECT_THAT(text({.subnets = {p("172.29.0.0/20")}}), HasSubstr("172.29.8.0/24 dev tun0"));
  EXPECT_THAT(text({.subnets = {p("172.29.0.0/25")}}), HasSubstr("overlaps the network's"));
  EXPECT_EQ(control_->view()->networks, before);
}

TEST_F(NetworksTest, AnUpdateThatTheKernelRefusesIsUndone) {
  start();
  ASSERT_TRUE(create({.name = "blue", .subnets = {p("172.29.0.0/24")}}));
  ASSERT_TRUE(connect({.network = "blue", .workload = "c1"}));
  const auto networks = control_->view()->networks;
  const auto endpoints = control_->view()->endpoints;
  kernel_.fail_apply(1, Error(Errc::internal, "no"));
  const auto updated =
      control_->update_network({.network = "blue", .subnets = {p("172.29.0.0/20")}}, soon());
  ASSERT_FALSE(updated);
  EXPECT_THAT(updated.error().text(), HasSubstr("change network blue"));
  EXPECT_EQ(control_->view()->networks, networks);
  EXPECT_EQ(control_->view()->endpoints, endpoints);
  EXPECT_THAT(control_->verify(Repair::no)->differences, IsEmpty());
}

TEST_F(NetworksTest, TheUseOfSubnetsIsCountedAndALaterVpnIsTold) {
  start();
  ASSERT_TRUE(create({.name = "blue", .subnets = {p("172.29.0.0/24")}}));
  ASSERT_TRUE(connect({.network = "blue", .workload = "c1"}));
  EXPECT_THAT(control_->verify(Repair::no)->differences, IsEmpty());
  host_.routes = {{p("172.29.0.0/16"), "tun0"}};
  const auto use = control_->subnet_use("blue");
  ASSERT_TRUE(use) << use.error().text();
  ASSERT_THAT(*use, SizeIs(1));
  EXPECT_EQ(use->front().used, 1u);
  EXPECT_EQ(use->front().free, 252u);
  EXPECT_EQ(use->front().conflict, "overlaps the host route 172.29.0.0/16 dev tun0");
  const auto verified = control_->verify(Repair::yes);
  ASSERT_THAT(verified->differences, SizeIs(1));
  EXPECT_THAT(verified->differences[0], HasSubstr("network blue: subnet 172.29.0.0/24 overlaps"));
  EXPECT_THAT(verified->repaired, IsEmpty());
}

TEST_F(NetworksTest, PruneTakesWhatNobodyUsesAndTheFiltersFit) {
  start();
  ASSERT_TRUE(create({.name = "used"}));
  ASSERT_TRUE(connect({.network = "used", .workload = "c1"}));
  ASSERT_TRUE(create({.name = "web", .labels = {{"tier", "web"}}}));
  ASSERT_TRUE(create({.name = "db", .labels = {{"tier", "db"}}}));
  ASSERT_TRUE(create({.name = "plain"}));
  ASSERT_TRUE(create({.name = "h", .driver = "host"}));
  const model::Time now = std::chrono::floor<std::chrono::seconds>(clock_.wall());
  EXPECT_THAT(*control_->prune_networks({.until = now}, soon()), IsEmpty()) << "none is older";
  EXPECT_THAT(*control_->prune_networks({.labels = {"tier=web"}}, soon()), ElementsAre("web"));
  EXPECT_THAT(*control_->prune_networks({.without_labels = {"tier"}}, soon()),
              ElementsAre("plain"));
  EXPECT_THAT(*control_->prune_networks({.until = now + std::chrono::seconds(1)}, soon()),
              ElementsAre("db"));
  EXPECT_THAT(control_->view()->networks, SizeIs(2));
}

TEST_F(NetworksTest, MtuFollowsTheWayOut) {
  host_.egress_mtu = 1420;
  start();
  ASSERT_TRUE(create({.name = "blue"}));
  ASSERT_TRUE(connect({.network = "blue", .workload = "c1"}));
  EXPECT_EQ(attachment().mtu, 1420u);
}

}  // namespace
}  // namespace heddle::control
