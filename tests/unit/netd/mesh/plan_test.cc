#include "netd/mesh/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "netd/holder/protocol.h"
#include "tests/unit/netd/mesh/view_builder.h"

namespace heddle::mesh {
namespace {

using model::EndpointState;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(Catalog, ResolvesVipsOfTheGivenNetworksOnly) {
  ViewBuilder world;
  world.network("net2", "db").service("svc2", "net2", "sql", "10.32.16.2", {5432});
  const Catalog catalog(world.share());
  EXPECT_EQ(catalog.resolve({"net1"}, addr("10.32.0.2:8080")), (GroupRef{"net1", "web", 8080}));
  EXPECT_EQ(catalog.resolve({"net1"}, addr("10.32.16.2:5432")), std::nullopt);
  EXPECT_TRUE(catalog.resolve({"net1", "net2"}, addr("10.32.16.2:5432")));
  EXPECT_EQ(catalog.resolve({"net1"}, addr("10.32.0.3:8080")), std::nullopt) << "a backend itself";
  EXPECT_EQ(catalog.resolve({"net1"}, addr("[::ffff:10.32.0.2]:8080")),
            (GroupRef{"net1", "web", 8080}));
  EXPECT_EQ(catalog.name_of({"net1", "web", 8080}), "web.app:8080");
}

TEST(Catalog, TargetsFollowStatesAndReachability) {
  ViewBuilder world;
  world.endpoint("e1", "w1", "10.32.0.11", "web")
      .endpoint("e2", "w2", "10.32.0.12", "web", EndpointState::draining)
      .endpoint("e3", "w3", "10.32.0.13", "web", EndpointState::starting)
      .endpoint("e4", "w4", "10.32.0.14", "web", EndpointState::gone)
      .endpoint("e5", "w5", "10.32.0.15", "web", EndpointState::ready, "node2")
      .endpoint("e6", "w6", "10.32.0.16", "other")
      .endpoint("e7", "w7", "10.32.0.17", "web", EndpointState::draining, "node2");
  world.view().unreachable = {"node2"};
  const TargetGroup group = Catalog(world.share()).group({"net1", "web", 8080});
  const auto target = [](const char* id, const char* address, TargetState state,
                         const char* node = "node1") {
    return Target{id, addr(address), 1, state, node};
  };
  EXPECT_THAT(group.targets,
              ElementsAre(target("e1", "10.32.0.11:8080", TargetState::ready),
                          target("e2", "10.32.0.12:8080", TargetState::draining),
                          target("e5", "10.32.0.15:8080", TargetState::gone, "node2"),
                          target("e7", "10.32.0.17:8080", TargetState::gone, "node2")));
  EXPECT_EQ(group.service, "web.app");
}

TEST(Catalog, PortThatNobodyServesHasNoTargets) {
  ViewBuilder world;
  world.endpoint("e1", "w1", "10.32.0.11", "web");
  const Catalog catalog(world.share());
  EXPECT_THAT(catalog.group({"net1", "web", 9999}).targets, IsEmpty());
  world.view().endpoints["e1"].ports.clear();  // of a declared service: it serves what that says
  EXPECT_EQ(Catalog(world.share()).group({"net1", "web", 8080}).targets.size(), 1u);
}

TEST(Catalog, ProtocolIsTheServicePorts) {
  ViewBuilder world;
  world.service("svc2", "net1", "tcp", "10.32.0.3", {1}, model::AppProtocol::tcp)
      .service("svc3", "net1", "http", "10.32.0.4", {1}, model::AppProtocol::http1);
  const Catalog catalog(world.share());
  EXPECT_EQ(catalog.group({"net1", "web", 8080}).protocol, Protocol::automatic);
  EXPECT_EQ(catalog.group({"net1", "tcp", 1}).protocol, Protocol::tcp);
  EXPECT_EQ(catalog.group({"net1", "http", 1}).protocol, Protocol::http1);
}

TEST(Plan, SidecarHasBothDirectionsInItsSandbox) {
  ViewBuilder world;
  world.workload("w1").endpoint("e1", "w1", "10.32.0.11", "web").sidecar("w1");
  const auto plans = plan_proxies(world.view(), {});
  ASSERT_EQ(plans.size(), 1u);
  const ProxyPlan& plan = plans.at("w1");
  EXPECT_EQ(plan.sandbox, "/run/netns/w1");
  EXPECT_THAT(
      plan.sockets,
      ElementsAre(SocketPlan{"outbound", SocketPlan::Where::sandbox, addr("127.0.0.1:15001")},
                  SocketPlan{"inbound", SocketPlan::Where::sandbox, addr("127.0.0.1:15006")}));
  ASSERT_EQ(plan.listeners.size(), 2u);
  EXPECT_EQ(plan.listeners[0].kind, ListenerKind::outbound);
  EXPECT_EQ(plan.listeners[1].kind, ListenerKind::inbound);
  EXPECT_THAT(plan.listeners[1].inbound_ports,
              ElementsAre(InboundPort{8080, Protocol::http1, "web.app"}));
  EXPECT_THAT(plan.networks, ElementsAre("net1"));
}

TEST(Plan, EachInboundPortStandsOnceAndUdpNever) {
  ViewBuilder world;
  world.network("net2", "db").workload("w1").sidecar("w1");
  world.endpoint("e1", "w1", "10.32.0.11", "web");
  world.endpoint("e2", "w1", "10.32.16.11", "web", EndpointState::ready, "node1", "net2");
  world.endpoint("e3", "w1", "10.32.16.12", "");
  world.view().endpoints["e1"].ports.push_back({"", 53, model::Protocol::udp, {}});
  const auto plan = plan_proxies(world.view(), {}).at("w1");
  EXPECT_EQ(plan.listeners[1].inbound_ports.size(), 1u);
  EXPECT_THAT(plan.networks, ElementsAre("net1", "net2"));
}

TEST(Plan, OtherNodesAndVanishedWorkloadsGetNoProxy) {
  ViewBuilder world;
  world.sidecar("elsewhere").workload("w1").sidecar("w1");
  world.view().workloads["w1"].state = model::WorkloadState::gone;
  model::LoadBalancer balancer;
  balancer.id = "lb1";
  balancer.node = "node2";
  world.view().load_balancers["lb1"] = balancer;
  world.workload("lb1", model::WorkloadKind::load_balancer);
  EXPECT_THAT(plan_proxies(world.view(), {}), IsEmpty());
}

model::LoadBalancer balancer() {
  model::LoadBalancer made;
  made.id = "lb1";
  made.name = "edge";
  made.network = "net1";
  made.node = "node1";
  made.target_groups = {{"main", "web", 8080, model::LbAlgorithm::least_request}};
  model::LbListener http{addr("0.0.0.0:80"), model::AppProtocol::http1, "main", {}};
  http.rules = {
      {20, "", "/api", "main"}, {10, "*.example.org", "", "main"}, {20, "a.b", "", "main"}};
  made.listeners = {http, {addr("[::1]:5432"), model::AppProtocol::tcp, "main", {}}};
  return made;
}

TEST(Plan, LoadBalancerListensOnTheHostAndNamesItsGroups) {
  ViewBuilder world;
  world.workload("lb1", model::WorkloadKind::load_balancer);
  world.view().load_balancers["lb1"] = balancer();
  const auto plan = plan_proxies(world.view(), {}).at("lb1");
  EXPECT_THAT(plan.sockets,
              ElementsAre(SocketPlan{"0.0.0.0-80", SocketPlan::Where::host, addr("0.0.0.0:80")},
                          SocketPlan{"::1-5432", SocketPlan::Where::host, addr("[::1]:5432")}));
  for (const auto& socket : plan.sockets)
    EXPECT_TRUE(holder::is_name("proxy/0123456789abcdef/" + socket.name));
  EXPECT_EQ(plan.listeners[0].kind, ListenerKind::http);
  EXPECT_EQ(plan.listeners[1].kind, ListenerKind::tcp);
  EXPECT_THAT(plan.listeners[0].rules,
              ElementsAre(Rule{10, "*.example.org", "", "main"}, Rule{20, "", "/api", "main"},
                          Rule{21, "a.b", "", "main"}))
      << "equal priorities get numbers of their own";
  EXPECT_EQ(plan.groups.at("main"), (FixedGroup{{"net1", "web", 8080}, Algorithm::least_request}));
  EXPECT_THAT(plan.networks, IsEmpty()) << "it resolves nothing";
}

}  // namespace
}  // namespace heddle::mesh
