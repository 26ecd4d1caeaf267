#include "netd/client/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/daemon/fake_daemon.h"

namespace heddle::client {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr const char* kNetwork =
    "id: 'n1' name: 'app' driver: 'overlay' scope: SCOPE_SWARM "
    "subnets { prefix: '10.40.0.0/20' gateway: '10.40.0.1' } vni: 7";

struct ClientTest : testing::Test {
  test::FakeDaemon daemon;
  std::unique_ptr<Client> client = *Client::connect(daemon.socket(), soon());

  static Deadline soon() { return after(std::chrono::seconds(20)); }
  std::string asked() { return daemon.calls().back().method + " " + daemon.calls().back().request; }
};

TEST_F(ClientTest, WhatIsAskedArrivesAndTheAnswerIsAModelValue) {
  daemon.reply("CreateNetwork", kNetwork);
  const auto network = client->create_network({.name = "app",
                                               .driver = "overlay",
                                               .subnets = {"10.40.0.0/20"},
                                               .gateways = {"10.40.0.1"},
                                               .internal = true,
                                               .options = {{"mtu", "1400"}},
                                               .labels = {{"team", "shop"}}},
                                              soon());
  ASSERT_TRUE(network.has_value()) << network.error().text();
  EXPECT_EQ(network->subnets.front().gateway.format(), "10.40.0.1");
  EXPECT_EQ(network->scope, model::Scope::swarm);
  EXPECT_EQ(asked(),
            "CreateNetwork name: \"app\" driver: \"overlay\" subnets: \"10.40.0.0/20\" "
            "gateways: \"10.40.0.1\" internal: true options { key: \"mtu\" value: \"1400\" } "
            "labels { key: \"team\" value: \"shop\" }");
}

TEST_F(ClientTest, ADaemonsErrorKeepsItsCodeAndText) {
  daemon.fail("RemoveNetwork", Error(Errc::in_use, "network app has endpoints: web-1"));
  const auto removed = client->remove_network("app", soon());
  ASSERT_FALSE(removed.has_value());
  EXPECT_EQ(removed.error(), Error(Errc::in_use, "network app has endpoints: web-1"));
}

TEST_F(ClientTest, AnUnavailableOfTheDaemonsOwnIsNotAnUnreachableDaemon) {
  daemon.fail("ListNodes", Error(Errc::unavailable, "no manager answers"));
  const auto nodes = client->list_nodes(soon());
  ASSERT_FALSE(nodes.has_value());
  EXPECT_EQ(nodes.error().code(), Errc::unavailable);
  EXPECT_FALSE(is_unreachable(nodes.error()));
}

TEST_F(ClientTest, AReplyThatIsNotUnderstoodIsInternalAndNamesTheField) {
  daemon.reply("ListNetworks", "networks { id: 'n1' name: 'app' driver: 'bridge' scope: 9 }");
  const auto networks = client->list_networks({}, soon());
  ASSERT_FALSE(networks.has_value());
  EXPECT_EQ(networks.error().code(), Errc::internal);
  EXPECT_THAT(networks.error().text(), AllOf(HasSubstr("scope: 9"), HasSubstr("one version")));
}

TEST_F(ClientTest, PastTheDeadlineTheEffectIsUnknownAndSaidSo) {
  daemon.stall("SystemInfo");
  const auto info = client->system_info(after(std::chrono::milliseconds(50)));
  ASSERT_FALSE(info.has_value());
  EXPECT_EQ(info.error().code(), Errc::timeout);
  EXPECT_THAT(info.error().text(), HasSubstr("may have been made all the same"));
}

TEST_F(ClientTest, ADaemonThatGoesAwayIsUnreachable) {
  daemon.stop();
  const auto info = client->system_info(soon());
  ASSERT_FALSE(info.has_value());
  EXPECT_TRUE(is_unreachable(info.error())) << info.error().text();
}

TEST_F(ClientTest, EveryListComesBackWhole) {
  daemon.reply("ListServices",
               "services { service { id: 's' name: 'web' network: 'n1' vip: '10.40.0.9' } "
               "network_name: 'app' backends { node_name: 'h1' reachable: true endpoint { id: 'e' "
               "network: 'n1' workload: 'w' address: '10.40.0.5/20' state: ENDPOINT_READY } } }");
  const auto services = client->list_services(soon());
  ASSERT_TRUE(services.has_value()) << services.error().text();
  ASSERT_EQ(services->size(), 1u);
  EXPECT_EQ(services->front().backends.front().node_name, "h1");
  EXPECT_TRUE(services->front().backends.front().reachable);
  daemon.reply("ListSidecars",
               "sidecars { workload { id: 'w' name: 'c' } state: 'ready' pid: 9 "
               "inbound_ports: 8080 inbound_ports: 9090 }");
  EXPECT_EQ((*client->list_sidecars(soon())).front().inbound_ports,
            (std::vector<std::uint16_t>{8080, 9090}));
  daemon.reply("Verify", "differences: 'a' differences: 'b' repaired: 'a'");
  const auto verified = client->verify(Repair::yes, soon());
  EXPECT_EQ(verified->differences.size(), 2u);
  EXPECT_EQ(asked(), "Verify repair: true");
}

TEST(Client, NobodyAtTheSocketSaysHowToStartOne) {
  const auto client = Client::connect("/tmp/heddle-no-such.sock", after(std::chrono::seconds(1)));
  ASSERT_FALSE(client.has_value());
  EXPECT_TRUE(is_unreachable(client.error()));
  EXPECT_THAT(client.error().text(),
              AllOf(HasSubstr("/tmp/heddle-no-such.sock"), HasSubstr("systemctl start heddled"),
                    HasSubstr("heddled --help"), HasSubstr("--socket")));
}

TEST(Client, ASocketPathThatCannotBeIsRefused) {
  for (const std::string& path : {std::string(), std::string(200, 'x')}) {
    const auto client = Client::connect(path, after(std::chrono::seconds(1)));
    ASSERT_FALSE(client.has_value());
    EXPECT_EQ(client.error().code(), Errc::invalid);
  }
}

}  // namespace
}  // namespace heddle::client
