#include "netd/control/control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "netd/api/codec.h"
#include "tests/unit/netd/control/node_fixture.h"

namespace heddle::control {
namespace {

using testing::HasSubstr;

class ControlTest : public NodeTest {};

TEST_F(ControlTest, ConnectMakesTheBridgeAndTheAttachmentAndDisconnectTakesThemAway) {
  start();
  const auto network = create({.name = "blue"});
  ASSERT_TRUE(network) << network.error().text();
  EXPECT_EQ(network->subnets.size(), 1u);
  EXPECT_TRUE(kernel_.state().bridges.empty()) << "a bridge nobody needs";

  const auto endpoint = connect({.network = "blue", .workload = "c1"});
  ASSERT_TRUE(endpoint) << endpoint.error().text();
  EXPECT_EQ(kernel_.state().bridges.size(), 1u);
  EXPECT_EQ(kernel_.state().attachments.size(), 1u);
  EXPECT_TRUE(network->subnets[0].prefix.contains(endpoint->address.address));

  ASSERT_TRUE(control_->disconnect("blue", "c1", soon()));
  EXPECT_TRUE(kernel_.state().bridges.empty());
  EXPECT_TRUE(kernel_.state().attachments.empty());
  EXPECT_TRUE(control_->remove_network("blue", soon()));
}

TEST_F(ControlTest, TheHostsEndOfAnEndpointsLinkIsTheOneInTheKernel) {
  start();
  ASSERT_TRUE(create({.name = "blue"}));
  const auto id = control_->view()->networks.begin()->first;
  EXPECT_TRUE(control_->endpoint_devices(id)->empty());
  const auto endpoint = connect({.network = "blue", .workload = "c1"});
  ASSERT_TRUE(endpoint.has_value()) << endpoint.error().text();
  const auto devices = control_->endpoint_devices(id);
  ASSERT_EQ(devices->size(), 1u);
  EXPECT_EQ(devices->begin()->first, endpoint->id);
  EXPECT_TRUE(kernel_.state().attachments.contains(devices->begin()->second));
  EXPECT_TRUE(control_->endpoint_devices("another")->empty());
}

TEST_F(ControlTest, AFailedAttachLeavesNothingBehind) {
  start();
  ASSERT_TRUE(create({.name = "blue", .subnets = {*Prefix::parse("172.30.0.0/24")}}));
  kernel_.add_interface(sandbox("c1"), "eth0");
  const auto refused = connect({.network = "blue", .workload = "c1"});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), Errc::exists);
  EXPECT_TRUE(control_->view()->endpoints.empty());
  EXPECT_TRUE(kernel_.state().attachments.empty());
  EXPECT_TRUE(control_->remove_network("blue", soon())) << "nobody is connected";
}

TEST_F(ControlTest, BadRequestsAreRefusedWithTheirReason) {
  start();
  ASSERT_TRUE(create({.name = "blue", .subnets = {*Prefix::parse("172.30.0.0/24")}}));
  EXPECT_EQ(create({.name = "blue"}).error().code(), Errc::exists);
  EXPECT_THAT(create({.name = "Bad Name"}).error().text(), HasSubstr("network name"));
  EXPECT_THAT(create({.name = "x", .driver = "fddi"}).error().text(), HasSubstr("fddi"));
  EXPECT_THAT(create({.name = "x", .subnets = {*Prefix::parse("172.30.0.0/25")}}).error().text(),
              HasSubstr("blue"));
  EXPECT_EQ(connect({.network = "red", .workload = "c1"}).error().code(), Errc::not_found);
  EXPECT_EQ(connect({.network = "blue", .workload = "c9"}).error().code(), Errc::not_found);
  EXPECT_EQ(connect({.network = "blue", .workload = "netns:/no/such"}).error().code(),
            Errc::not_found);
  ASSERT_TRUE(connect({.network = "blue", .workload = "c1"}));
  EXPECT_EQ(connect({.network = "blue", .workload = "c1"}).error().code(), Errc::exists);
  const auto in_use = control_->remove_network("blue", soon());
  ASSERT_FALSE(in_use.has_value());
  EXPECT_EQ(in_use.error().code(), Errc::in_use);
  EXPECT_THAT(in_use.error().text(), HasSubstr("c1"));
  const IpAddr gateway = *IpAddr::parse("172.30.0.1");
  EXPECT_EQ(connect({.network = "blue", .workload = "c2", .address = gateway}).error().code(),
            Errc::invalid);
  EXPECT_EQ(control_->view()->endpoints.size(), 1u);
}

TEST_F(ControlTest, AServiceHasAVipAndGoesWithItsLastBackend) {
  start();
  ASSERT_TRUE(create({.name = "blue"}));
  const model::ServicePort port{.name = "", .port = 8080};
  ASSERT_TRUE(connect({.network = "blue", .workload = "c1", .service = "web", .ports = {port}}));
  ASSERT_TRUE(connect({.network = "blue", .workload = "c2", .service = "web", .ports = {port}}));
  ASSERT_EQ(control_->view()->services.size(), 1u);
  const auto service = control_->view()->services.begin()->second;
  for (const auto& [id, endpoint] : control_->view()->endpoints) {
    EXPECT_NE(endpoint.address.address, service.vip);
    EXPECT_EQ(endpoint.state, model::EndpointState::starting) << "nothing answered yet";
  }
  const model::ServicePort other{.name = "", .port = 9090};
  EXPECT_EQ(connect({.network = "blue", .workload = "c3", .service = "web", .ports = {other}})
                .error()
                .code(),
            Errc::conflict);
  ASSERT_TRUE(control_->disconnect("blue", "c1", soon()));
  EXPECT_EQ(control_->view()->services.size(), 1u);
  ASSERT_TRUE(control_->disconnect("blue", "c2", soon()));
  EXPECT_TRUE(control_->view()->services.empty());
}

TEST_F(ControlTest, ABackendWithoutTcpPortsIsReadyAtOnce) {
  start();
  ASSERT_TRUE(create({.name = "blue"}));
  const model::ServicePort port{.name = "", .port = 53, .protocol = model::Protocol::udp};
  const auto endpoint =
      connect({.network = "blue", .workload = "c1", .service = "names", .ports = {port}});
  ASSERT_TRUE(endpoint) << endpoint.error().text();
  EXPECT_EQ(endpoint->state, model::EndpointState::ready);
}

TEST_F(ControlTest, ARestartTouchesNothingThatMatches) {
  start();
  ASSERT_TRUE(create({.name = "blue"}));
  ASSERT_TRUE(connect({.network = "blue", .workload = "c1"}));
  const auto before = kernel_.state();
  control_.reset();
  kernel_.clear_applied();
  start();
  EXPECT_TRUE(kernel_.applied().empty());
  EXPECT_EQ(kernel_.state(), before);
  EXPECT_TRUE(control_->verify(Repair::no)->differences.empty());
}

TEST_F(ControlTest, VerifyNamesWhatWasAlteredAndRepairMendsIt) {
  start();
  ASSERT_TRUE(create({.name = "blue"}));
  ASSERT_TRUE(connect({.network = "blue", .workload = "c1"}));
  const auto good = kernel_.state();
  kernel_.delete_link(kernel_.state().attachments.begin()->first);
  const auto found = control_->verify(Repair::no);
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->differences.empty());
  EXPECT_NE(kernel_.state(), good) << "verify alone repairs nothing";
  const auto repaired = control_->verify(Repair::yes);
  ASSERT_TRUE(repaired);
  EXPECT_EQ(repaired->repaired, repaired->differences);
  EXPECT_EQ(kernel_.state().attachments, good.attachments);
}

TEST_F(ControlTest, AHostThatDropsWhatItForwardsIsNotedAndIsNoDifference) {
  forward_drops_ = std::vector<std::string>{"ip filter FORWARD"};
  start();
  EXPECT_THAT(control_->verify(Repair::no)->notes, testing::IsEmpty()) << "nothing is forwarded";
  ASSERT_TRUE(create({.name = "blue"}));
  ASSERT_TRUE(connect({.network = "blue", .workload = "c1"}));
  const auto verified = control_->verify(Repair::no);
  ASSERT_TRUE(verified) << verified.error().text();
  EXPECT_THAT(verified->differences, testing::IsEmpty());
  const std::string bridge = kernel_.state().bridges.begin()->first;
  EXPECT_THAT(verified->notes,
              testing::ElementsAre(
                  testing::AllOf(testing::HasSubstr("chain ip filter FORWARD drops"),
                                 testing::HasSubstr(bridge), testing::HasSubstr("docs/ports.md"))));
  EXPECT_EQ(control_->system_info()->notes, verified->notes);
  forward_drops_ = fail(Errc::unavailable, "no nftables");
  EXPECT_THAT(control_->verify(Repair::no)->notes,
              testing::ElementsAre(testing::HasSubstr("no nftables")));
}

TEST_F(ControlTest, AnOverlayAddressComesFromABlockOfThisNode) {
  start();
  cluster::SwarmState swarm;
  swarm.self = "self";
  swarm.swarm.id = "s1";
  swarm.swarm.pool = *Prefix::parse("10.32.0.0/11");
  model::Network app;
  app.id = "a0000000000000aa";
  app.name = "app";
  app.driver = "overlay";
  app.scope = model::Scope::swarm;
  app.vni = {4096};
  app.subnets = {{*Prefix::parse("10.32.0.0/20"), *IpAddr::parse("10.32.0.1")}};
  swarm.networks = {app};
  swarm.nodes = {{.id = "self", .name = "h1", .data_address = IpAddr::v4(0xc0000201)}};
  swarm.blocks.add({app.id, *Prefix::parse("10.32.4.0/26"), "h2"});
  control_->swarm_changed(swarm);
  cluster_.blocks = {*Prefix::parse("10.32.3.0/26")};
  const auto endpoint = connect({.network = "app", .workload = "c1"});
  ASSERT_TRUE(endpoint) << endpoint.error().text();
  EXPECT_TRUE(Prefix::parse("10.32.3.0/26")->contains(endpoint->address.address));
  EXPECT_EQ(endpoint->address.length, 20);
  ASSERT_FALSE(cluster_.reports.empty());
  ASSERT_EQ(cluster_.reports.back().endpoints.size(), 1u);
  EXPECT_NE(cluster_.reports.back().epoch, 0u);
}

}  // namespace
}  // namespace heddle::control
