// Goal: what a workload asks of its attachment is had or refused by name, and what was refused
// changed nothing. Method: a whole node on a kernel in memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "netd/ipam/mac.h"
#include "tests/unit/netd/control/node_fixture.h"

namespace heddle::control {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

IpAddr ip(const char* text) {
  return *IpAddr::parse(text);
}

model::Network network(const std::string& name, std::vector<std::pair<const char*, const char*>> of,
                       const std::string& driver = "bridge") {
  model::Network made;
  made.id = name + "0000000000000000";
  made.id.resize(16);
  made.name = name;
  made.driver = driver;
  for (const auto& [prefix, gateway] : of) {
    made.subnets.push_back({*Prefix::parse(prefix), ip(gateway), {}, {}});
  }
  return made;
}

// A kernel whose next apply() finds that the world has changed meanwhile.
class InterruptedKernel final : public dataplane::Kernel {
 public:
  explicit InterruptedKernel(dataplane::FakeKernel& kernel) : kernel_(kernel) {}
  Result<> apply(const dataplane::Operation& operation) override {
    if (const auto now = std::exchange(before_apply, nullptr)) now();
    return kernel_.apply(operation);
  }
  Result<dataplane::HostState> observe(const dataplane::HostState& wanted) override {
    return kernel_.observe(wanted);
  }
  bool sandbox_exists(const std::string& sandbox) override {
    const bool exists = kernel_.sandbox_exists(sandbox);
    if (const auto now = std::exchange(after_look, nullptr)) now();
    return exists;
  }
  Result<> remove_everything() override { return kernel_.remove_everything(); }

  std::function<void()> before_apply;
  std::function<void()> after_look;

 private:
  dataplane::FakeKernel& kernel_;
};

class EndpointsTest : public NodeTest {
 protected:
  EndpointsTest() {
    put_network(network("blue", {{"172.30.0.0/24", "172.30.0.1"}}));
    put_network(network("dual", {{"172.31.0.0/24", "172.31.0.1"}, {"fd00::/64", "fd00::1"}}));
    put_network(network("six", {{"fd06::/64", "fd06::1"}}));
    put_network(network("tiny", {{"172.29.0.0/30", "172.29.0.1"}}));
    kernel_.add_device("eth0");
  }
  dataplane::Kernel* kernel() override { return &interrupted_; }

  std::string refusal(const ConnectSpec& spec) {
    const auto result = connect(spec);
    return result ? "connected" : result.error().text();
  }
  void expect_untouched() {
    EXPECT_THAT(control_->view()->endpoints, IsEmpty());
    EXPECT_THAT(control_->view()->services, IsEmpty());
    EXPECT_THAT(kernel_.state().attachments, IsEmpty());
  }
  static model::ServicePort udp(std::uint16_t number) {
    return {.name = "", .port = number, .protocol = model::Protocol::udp};
  }

  InterruptedKernel interrupted_{kernel_};
};

TEST_F(EndpointsTest, ANetworkOfBothFamiliesGivesOneAddressOfEach) {
  start();
  const auto both = connect({.network = "dual", .workload = "c1"});
  ASSERT_TRUE(both) << both.error().text();
  EXPECT_EQ(both->address.format(), "172.31.0.2/24");
  EXPECT_EQ(both->address6->format(), "fd00::2/64");
  const auto named = connect({.network = "dual",
                              .workload = "c2",
                              .address = ip("172.31.0.77"),
                              .address6 = ip("fd00::77")});
  ASSERT_TRUE(named) << named.error().text();
  EXPECT_EQ(named->address.format(), "172.31.0.77/24");
  EXPECT_EQ(named->address6->format(), "fd00::77/64");
  EXPECT_NE(both->mac, named->mac);
}

TEST_F(EndpointsTest, AnIpv6NetworkGivesThatAloneAndItsServicesHaveNoVip) {
  start();
  const auto endpoint =
      connect({.network = "six", .workload = "c1", .service = "web", .ports = {udp(53)}});
  ASSERT_TRUE(endpoint) << endpoint.error().text();
  EXPECT_EQ(endpoint->address.format(), "fd06::2/64");
  EXPECT_FALSE(endpoint->address6);
  ASSERT_THAT(control_->view()->services, SizeIs(1));
  EXPECT_TRUE(control_->view()->services.begin()->second.vip.is_unspecified());
  EXPECT_THAT(refusal({.network = "six", .workload = "c2", .address = ip("10.0.0.1")}),
              HasSubstr("no IPv4 subnet"));
  EXPECT_THAT(refusal({.network = "blue", .workload = "c2", .address6 = ip("fd06::3")}),
              HasSubstr("no IPv6 subnet"));
}

TEST_F(EndpointsTest, WhatTheDriverCannotGiveIsRefusedInItsWords) {
  put_network(network("hosts", {}, "host"));
  put_network(network("nothing", {}, "none"));
  start();
  EXPECT_THAT(refusal({.network = "hosts", .workload = "c1"}),
              HasSubstr("docker run --network host"));
  EXPECT_THAT(refusal({.network = "nothing", .workload = "c1"}), HasSubstr("'nothing'"));
  expect_untouched();
}

TEST_F(EndpointsTest, AnAddressThatCannotBeHadIsRefusedByName) {
  start();
  ASSERT_TRUE(connect({.network = "blue", .workload = "c1", .address = ip("172.30.0.9")}));
  const auto said = [&](const char* address) {
    return refusal({.network = "blue", .workload = "c2", .address = ip(address)});
  };
  EXPECT_EQ(said("172.30.0.9"), "address 172.30.0.9 is in use by c1");
  EXPECT_EQ(said("172.30.1.9"), "address 172.30.1.9 is outside the subnet 172.30.0.0/24");
  EXPECT_THAT(said("172.30.0.0"), HasSubstr("network address"));
  EXPECT_THAT(said("172.30.0.255"), HasSubstr("broadcast address"));
  EXPECT_THAT(said("172.30.0.1"), HasSubstr("gateway"));
  EXPECT_THAT(refusal({.network = "dual", .workload = "c2", .address6 = ip("fd00::1")}),
              HasSubstr("gateway of fd00::/64"));
  EXPECT_THAT(control_->view()->endpoints, SizeIs(1));
  const auto dual = connect({.network = "dual", .workload = "c2"});
  EXPECT_EQ(dual->address.format(), "172.31.0.3/24")
      << "the search goes on where the refused connect left it";
}

TEST_F(EndpointsTest, ARefusedConnectReturnsItsAddressesAtOnce) {
  put_network(network("five", {{"172.27.0.0/29", "172.27.0.1"}}));
  start();
  ASSERT_TRUE(connect({.network = "five", .workload = "c2"}));
  ASSERT_TRUE(connect({.network = "five", .workload = "c3", .service = "s", .ports = {udp(1)}}));
  // What is left is one address, and one for the VIP.
  const ConnectSpec spec{.network = "five", .workload = "c1", .service = "web", .ports = {udp(53)}};
  for (int i = 0; i < 2; ++i) {
    const auto before = *control_->view();
    kernel_.fail_apply(1, Error(Errc::denied, "no"));
    EXPECT_FALSE(connect(spec).has_value());
    EXPECT_EQ(control_->view()->endpoints, before.endpoints);
    EXPECT_EQ(control_->view()->services, before.services);
    EXPECT_THAT(kernel_.state().attachments, SizeIs(2));
  }
  const auto endpoint = connect(spec);
  ASSERT_TRUE(endpoint) << endpoint.error().text();
}

TEST_F(EndpointsTest, AnAddressRestsAfterItsReleaseAndThroughARestart) {
  start();
  ASSERT_TRUE(connect({.network = "tiny", .workload = "c1"}));
  ASSERT_TRUE(control_->disconnect("tiny", "c1", soon()));
  EXPECT_THAT(refusal({.network = "tiny", .workload = "c2"}),
              HasSubstr("1 released less than 30 s ago"));
  clock_.advance(seconds(10));
  control_.reset();
  start();
  EXPECT_THAT(refusal({.network = "tiny", .workload = "c2"}),
              HasSubstr("1 released less than 30 s ago"));
  EXPECT_TRUE(connect({.network = "tiny", .workload = "c2", .address = ip("172.29.0.2")}))
      << "by name it may be had at once";
  ASSERT_TRUE(control_->disconnect("tiny", "c2", soon()));
  clock_.advance(seconds(29));
  EXPECT_FALSE(connect({.network = "tiny", .workload = "c3"}).has_value());
  clock_.advance(seconds(3));
  control_.reset();
  start();
  EXPECT_EQ(refusal({.network = "tiny", .workload = "c3"}), "connected");
}

TEST_F(EndpointsTest, ARestThatDoesNotReadIsNamed) {
  for (const char* payload : {"", "n 10.0.0.1", "n 10.0.0 5", "n 10.0.0.1 5 6", "n 10.0.0.1 x"}) {
    ASSERT_TRUE(store_->commit(
        {.puts = {{.kind = "released", .id = "n.10.0.0.1", .name = "", .payload = payload}}},
        after(seconds(1))));
    const auto objects = Objects::load(*store_);
    ASSERT_FALSE(objects.has_value()) << payload;
    EXPECT_THAT(objects.error().text(), HasSubstr("released address n.10.0.0.1"));
  }
}

TEST_F(EndpointsTest, ARemovedWorkloadsAddressesRestToo) {
  start();
  ASSERT_TRUE(connect({.network = "tiny", .workload = "c1"}));
  EXPECT_THAT(control_->remove_network("tiny", soon()).error().text(), HasSubstr("in use by c1"));
  ASSERT_TRUE(control_->remove_workload("c1", Force::yes, soon()));
  expect_untouched();
  EXPECT_THAT(refusal({.network = "tiny", .workload = "c2"}), HasSubstr("released less than"));
  clock_.advance(seconds(31));
  EXPECT_EQ(refusal({.network = "tiny", .workload = "c2"}), "connected");
}

TEST_F(EndpointsTest, AMacIsUniqueInItsNetwork) {
  start();
  const Mac chosen = *Mac::parse("02:42:0a:00:00:05");
  const auto first = connect({.network = "blue", .workload = "c1", .mac = chosen});
  ASSERT_TRUE(first) << first.error().text();
  EXPECT_EQ(first->mac, chosen);
  EXPECT_EQ(kernel_.state().attachments.begin()->second.mac, chosen);
  EXPECT_THAT(refusal({.network = "blue", .workload = "c2", .mac = chosen}),
              HasSubstr("in use by c1"));
  EXPECT_TRUE(connect({.network = "dual", .workload = "c2", .mac = chosen})) << "another network";
}

TEST_F(EndpointsTest, ADerivedMacKeepsOutOfTheWayOfAChosenOne) {
  start();
  const model::Id blue = control_->view()->networks.begin()->first;
  ASSERT_EQ(control_->view()->networks.at(blue).name, "blue");
  const Mac next = ipam::mac_for(blue, ip("172.30.0.77"));
  ASSERT_TRUE(connect({.network = "blue", .workload = "c1", .mac = next}));
  const auto second = connect({.network = "blue", .workload = "c2", .address = ip("172.30.0.77")});
  ASSERT_TRUE(second) << second.error().text();
  EXPECT_NE(second->mac, next);
  EXPECT_FALSE(second->mac.is_multicast());
}

TEST_F(EndpointsTest, WhatWasAskedForIsKept) {
  start();
  const auto made = connect({.network = "blue",
                             .workload = "c1",
                             .link_local = {ip("169.254.7.7"), ip("fe80::7")},
                             .interface = "web0",
                             .gateway_priority = 7,
                             .sysctls = {{"net.ipv4.conf.web0.rp_filter", "2"}},
                             .rate_in = 10'000'000,
                             .rate_out = 5'000'000});
  ASSERT_TRUE(made) << made.error().text();
  const model::Endpoint stored = control_->view()->endpoints.at(made->id);
  EXPECT_EQ(stored, *made);
  EXPECT_EQ(stored.link_local[0].format(), "169.254.7.7/16");
  EXPECT_EQ(stored.link_local[1].format(), "fe80::7/64");
  EXPECT_EQ(stored.interface, "web0");
  EXPECT_EQ(stored.gateway_priority, 7);
  EXPECT_EQ(stored.sysctls.at("net.ipv4.conf.IFNAME.rp_filter"), "2");
  EXPECT_EQ(stored.rate_in, 10'000'000u);
  EXPECT_EQ(stored.rate_out, 5'000'000u);
  EXPECT_THAT(refusal({.network = "dual", .workload = "c1", .interface = "web0"}),
              HasSubstr("has an interface 'web0' already"));
  EXPECT_THAT(refusal({.network = "blue", .workload = "c2", .link_local = {ip("fe80::7")}}),
              HasSubstr("fe80::7 is in use by c1"));
}

TEST_F(EndpointsTest, OneWorkloadJoinsSeveralNetworksAndTheHighestPriorityIsItsWayOut) {
  start();
  ASSERT_TRUE(connect({.network = "blue", .workload = "c1"}));
  const auto way_out = [&](const char* gateway) {
    int ways = 0;
    bool there = false;
    for (const auto& [name, attachment] : kernel_.state().attachments) {
      for (const auto& route : attachment.routes) {
        if (route.destination.length() != 0) continue;
        ++ways;
        there = there || route.via == ip(gateway);
      }
    }
    return there && ways == 1;
  };
  EXPECT_TRUE(way_out("172.30.0.1"));
  ASSERT_TRUE(connect({.network = "tiny", .workload = "c1"}));
  EXPECT_TRUE(way_out("172.30.0.1")) << "the first stays it";
  ASSERT_TRUE(control_->disconnect("tiny", "c1", soon()));
  clock_.advance(seconds(31));
  const auto tiny = connect({.network = "tiny", .workload = "c1", .gateway_priority = 1});
  ASSERT_TRUE(tiny);
  EXPECT_EQ(tiny->interface, "eth1");
  EXPECT_TRUE(way_out("172.29.0.1"));
  ASSERT_TRUE(control_->disconnect("tiny", "c1", soon()));
  EXPECT_TRUE(way_out("172.30.0.1"));
}

TEST_F(EndpointsTest, ASandboxThatVanishesMidwayIsRefusedAndNothingStays) {
  start();
  interrupted_.before_apply = [&] { kernel_.remove_sandbox(sandbox("c1")); };
  const auto vanished = connect({.network = "tiny", .workload = "c1"});
  ASSERT_FALSE(vanished.has_value());
  EXPECT_EQ(vanished.error().code(), Errc::not_found) << vanished.error().text();
  expect_untouched();

  kernel_.add_sandbox(sandbox("c1"));
  interrupted_.after_look = [&] { kernel_.remove_sandbox(sandbox("c1")); };
  EXPECT_THAT(refusal({.network = "tiny", .workload = "c1"}), HasSubstr("is it running?"));
  expect_untouched();

  kernel_.remove_sandbox(sandbox("c2"));
  EXPECT_THAT(refusal({.network = "tiny", .workload = "c2"}), HasSubstr("is it running?"));
  EXPECT_TRUE(connect({.network = "tiny", .workload = "c3"})) << "its only address is free";
}

// --- published ports ---

class PublishTest : public EndpointsTest {
 protected:
  static model::PublishedPort port(std::uint16_t host, std::uint16_t inside) {
    return {.host_address = ip("127.0.0.1"), .host_port = host, .port = inside};
  }
  // Free a moment ago, as the kernel chooses them.
  std::uint16_t free_port() {
    const auto endpoint = connect({.network = "blue", .workload = "c3", .published = {port(0, 1)}});
    EXPECT_TRUE(endpoint) << endpoint.error().text();
    const std::uint16_t chosen = endpoint->published.front().host_port;
    EXPECT_TRUE(control_->disconnect("blue", "c3", soon()));
    return chosen;
  }
};

TEST_F(PublishTest, APortLeftToUsIsChosenAndTold) {
  start();
  const auto endpoint =
      connect({.network = "blue", .workload = "c1", .published = {port(0, 80), port(0, 81)}});
  ASSERT_TRUE(endpoint) << endpoint.error().text();
  ASSERT_THAT(endpoint->published, SizeIs(2));
  EXPECT_NE(endpoint->published[0].host_port, 0);
  EXPECT_NE(endpoint->published[0].host_port, endpoint->published[1].host_port);
  EXPECT_EQ(endpoint->published[1].port, 81);
}

TEST_F(PublishTest, AnothersPortIsRefusedWithItsName) {
  start();
  const std::uint16_t taken = free_port();
  ASSERT_TRUE(connect({.network = "blue", .workload = "c1", .published = {port(taken, 80)}}));
  EXPECT_THAT(refusal({.network = "dual", .workload = "c2", .published = {port(taken, 80)}}),
              HasSubstr("'c1' has 127.0.0.1:" + std::to_string(taken)));
  EXPECT_THAT(control_->view()->endpoints, SizeIs(1));
  ASSERT_TRUE(control_->disconnect("blue", "c1", soon()));
  EXPECT_TRUE(connect({.network = "dual", .workload = "c2", .published = {port(taken, 80)}}));
}

TEST_F(PublishTest, ForeignAddressesAndFamiliesAreRefused) {
  start();
  model::PublishedPort foreign = port(8080, 80);
  foreign.host_address = ip("198.51.100.7");
  EXPECT_THAT(refusal({.network = "blue", .workload = "c1", .published = {foreign}}),
              HasSubstr("198.51.100.7 is not an address of this host"));
  EXPECT_THAT(refusal({.network = "six", .workload = "c1", .published = {port(8080, 80)}}),
              HasSubstr("no IPv4 address"));
  expect_untouched();
}

TEST_F(PublishTest, PortsComeAndGoTogetherOrNotAtAll) {
  start();
  const auto first = connect({.network = "blue", .workload = "c1", .published = {port(0, 80)}});
  ASSERT_TRUE(first) << first.error().text();
  const model::PublishedPort old = first->published.front();

  const auto changed = control_->publish(
      {.workload = "c1", .add = {port(0, 443), port(0, 8443)}, .remove = {old}}, soon());
  ASSERT_TRUE(changed) << changed.error().text();
  ASSERT_THAT(changed->published, SizeIs(2));
  EXPECT_EQ(changed->published[0].port, 443);
  EXPECT_EQ(control_->view()->endpoints.at(first->id), *changed);

  // The second cannot be had: neither is, and nothing is taken away.
  model::PublishedPort foreign = port(0, 1);
  foreign.host_address = ip("198.51.100.7");
  EXPECT_FALSE(control_
                   ->publish({.workload = "c1",
                              .add = {port(0, 9000), foreign},
                              .remove = {changed->published[0]}},
                             soon())
                   .has_value());
  EXPECT_FALSE(
      control_->publish({.workload = "c1", .add = {port(0, 9000)}, .remove = {old}}, soon())
          .has_value());
  EXPECT_EQ(control_->view()->endpoints.at(first->id), *changed);

  const auto again = control_->publish({.workload = "c1", .add = {changed->published[0]}}, soon());
  EXPECT_THAT(again.error().text(), HasSubstr("take the same port"));
  const auto moved = control_->publish(
      {.workload = "c1", .add = {old}, .remove = {port(0, 443), port(0, 8443)}}, soon());
  ASSERT_TRUE(moved) << moved.error().text();
  EXPECT_EQ(moved->published, std::vector{old});
}

TEST_F(PublishTest, SaysWhichEndpointItCannotTell) {
  start();
  EXPECT_THAT(control_->publish({.workload = "c1", .add = {port(0, 80)}}, soon()).error().text(),
              HasSubstr("not connected to any network"));
  ASSERT_TRUE(connect({.network = "blue", .workload = "c1"}));
  ASSERT_TRUE(connect({.network = "dual", .workload = "c1"}));
  EXPECT_THAT(control_->publish({.workload = "c1", .add = {port(0, 80)}}, soon()).error().text(),
              HasSubstr("several networks"));
  EXPECT_TRUE(
      control_->publish({.network = "dual", .workload = "c1", .add = {port(0, 80)}}, soon()));
  EXPECT_THAT(control_->publish({.network = "tiny", .workload = "c1", .add = {port(0, 80)}}, soon())
                  .error()
                  .text(),
              HasSubstr("not connected to 'tiny'"));
  EXPECT_THAT(control_->publish({.network = "dual", .workload = "c1"}, soon()).error().text(),
              HasSubstr("no port was named"));
}

}  // namespace
}  // namespace heddle::control
