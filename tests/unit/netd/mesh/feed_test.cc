#include "netd/mesh/feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/netd/mesh/view_builder.h"

namespace heddle::mesh {
namespace {

using model::EndpointState;

// Goal: a proxy hears of what it uses, of nothing else, and of each change once.
class FeedTest : public testing::Test {
 protected:
  FeedTest() {
    world_.workload("w1").sidecar("w1").endpoint("e1", "w1", "10.32.0.10");
    world_.endpoint("b1", "x", "10.32.0.11", "web");
  }
  void update(const std::string& proxy = "w1") {
    const auto plans = plan_proxies(world_.view(), {});
    feed_.update(std::make_shared<Catalog>(world_.share()),
                 std::make_shared<ProxyPlan>(plans.at(proxy)));
  }
  std::vector<ConfigMessage> drain() {
    std::vector<ConfigMessage> all;
    while (auto next = feed_.next()) all.push_back(std::move(*next));
    return all;
  }
  template <class T>
  T only() {
    const auto all = drain();
    EXPECT_EQ(all.size(), 1u);
    if (all.size() != 1 || !std::holds_alternative<T>(all[0])) {
      ADD_FAILURE() << "another message";
      return {};
    }
    return std::get<T>(all[0]);
  }
  void use_web() {
    update();
    ASSERT_TRUE(feed_.resolve(addr("10.32.0.2:8080")));
    drain();
  }

  ViewBuilder world_;
  Feed feed_;
};

TEST_F(FeedTest, SaysNothingBeforeItKnowsAnything) {
  ASSERT_TRUE(feed_.resolve(addr("10.32.0.2:8080")));
  EXPECT_EQ(feed_.next(), std::nullopt);
  update();
  EXPECT_TRUE(std::holds_alternative<Snapshot>(*feed_.next())) << "the snapshot is first";
  EXPECT_EQ(drain().size(), 2u) << "then the group and the answer";
}

TEST_F(FeedTest, SnapshotIsSentAgainOnlyWhenListenersChange) {
  update();
  EXPECT_EQ(only<Snapshot>().revision, 1u);
  update();
  EXPECT_TRUE(drain().empty());
  world_.view().endpoints["e1"].service = "web";
  world_.view().endpoints["e1"].ports = {{"", 9000, model::Protocol::tcp, {}}};
  update();
  const Snapshot second = only<Snapshot>();
  EXPECT_EQ(second.revision, 2u);
  EXPECT_EQ(second.listeners[1].inbound_ports.size(), 1u);
}

TEST_F(FeedTest, AnswerFollowsTheGroupItNames) {
  update();
  drain();
  ASSERT_TRUE(feed_.resolve(addr("10.32.0.2:8080")));
  const auto all = drain();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(std::get<TargetGroup>(all[0]).name, "web.app:8080");
  EXPECT_EQ(std::get<Resolved>(all[1]), (Resolved{addr("10.32.0.2:8080"), "web.app:8080"}));
  ASSERT_TRUE(feed_.resolve(addr("10.32.0.2:8080")));
  EXPECT_EQ(only<Resolved>().target_group, "web.app:8080") << "the group is there already";
}

TEST_F(FeedTest, WhatIsNoServiceIsPassedThroughAndNotRemembered) {
  update();
  drain();
  ASSERT_TRUE(feed_.resolve(addr("93.184.216.34:443")));
  EXPECT_EQ(only<Resolved>(), (Resolved{addr("93.184.216.34:443"), ""}));
  update();
  EXPECT_TRUE(drain().empty());
}

TEST_F(FeedTest, ChangesOfGroupsInUseFollowOthersDoNot) {
  world_.service("svc2", "net1", "api", "10.32.0.3", {80});
  use_web();
  world_.endpoint("b2", "y", "10.32.0.12", "api");
  update();
  EXPECT_TRUE(drain().empty()) << "api is not used";
  world_.view().endpoints["b1"].state = EndpointState::draining;
  update();
  EXPECT_EQ(only<TargetGroup>().targets[0].state, TargetState::draining);
  world_.view().unreachable = {"node1"};
  update();
  EXPECT_EQ(only<TargetGroup>().targets[0].state, TargetState::gone);
}

TEST_F(FeedTest, SeveralChangesBeforeTheStreamIsFreeAreOneMessage) {
  use_web();
  world_.view().endpoints["b1"].weight = 5;
  update();
  world_.view().endpoints["b1"].weight = 7;
  update();
  EXPECT_EQ(only<TargetGroup>().targets[0].weight, 7u);
}

TEST_F(FeedTest, ReleasedGroupIsSilent) {
  use_web();
  feed_.release("web.app:8080");
  world_.view().endpoints["b1"].weight = 5;
  update();
  EXPECT_TRUE(drain().empty());
}

TEST_F(FeedTest, VanishedServiceIsRemovedAndItsAddressAnsweredAnew) {
  use_web();
  world_.view().services.clear();
  world_.service("svc9", "net1", "heir", "10.32.0.2", {8080});
  update();
  const auto all = drain();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(std::get<GroupRemoved>(all[0]).name, "web.app:8080");
  EXPECT_EQ(std::get<TargetGroup>(all[1]).name, "heir.app:8080");
  EXPECT_EQ(std::get<Resolved>(all[2]).target_group, "heir.app:8080");
}

TEST_F(FeedTest, MovedVipIsToldWithoutBeingAsked) {
  use_web();
  world_.view().services["svc1"].vip = *IpAddr::parse("10.32.0.99");
  update();
  EXPECT_EQ(only<Resolved>(), (Resolved{addr("10.32.0.2:8080"), ""}));
}

TEST_F(FeedTest, FixedGroupsComeWithTheSnapshotAndThenByThemselves) {
  model::LoadBalancer balancer;
  balancer.id = "lb1";
  balancer.network = "net1";
  balancer.node = "node1";
  balancer.target_groups = {{"main", "web", 8080, model::LbAlgorithm::least_request}};
  balancer.listeners = {{addr("0.0.0.0:80"), model::AppProtocol::http1, "main", {}}};
  world_.workload("lb1", model::WorkloadKind::load_balancer);
  world_.view().load_balancers["lb1"] = balancer;
  update("lb1");
  const Snapshot snapshot = only<Snapshot>();
  ASSERT_EQ(snapshot.groups.size(), 1u);
  EXPECT_EQ(snapshot.groups[0].name, "main");
  EXPECT_EQ(snapshot.groups[0].algorithm, Algorithm::least_request);
  EXPECT_EQ(snapshot.groups[0].service, "web.app");
  EXPECT_EQ(snapshot.groups[0].targets.size(), 1u);
  world_.view().services.clear();
  world_.view().endpoints.erase("b1");
  update("lb1");
  EXPECT_TRUE(only<TargetGroup>().targets.empty()) << "rules name it still: empty, not removed";
}

TEST_F(FeedTest, TooManyQuestionsAreRefused) {
  for (std::size_t i = 0; i < Feed::kMaxQuestions; ++i) {
    ASSERT_TRUE(feed_.resolve({IpAddr::v4(static_cast<std::uint32_t>(i)), 1}));
  }
  EXPECT_EQ(feed_.resolve(addr("1.1.1.1:1")).error().code(), Errc::exhausted);
}

TEST_F(FeedTest, PastTheBoundTheOldestGroupIsTakenBack) {
  update();
  drain();
  for (std::size_t port = 1; port <= Feed::kMaxGroups; ++port) {
    ASSERT_TRUE(feed_.resolve({*IpAddr::parse("10.32.0.2"), static_cast<std::uint16_t>(port)}));
    ASSERT_EQ(drain().size(), 2u);
  }
  ASSERT_TRUE(feed_.resolve(addr("10.32.0.2:60000")));
  const auto all = drain();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(std::get<GroupRemoved>(all[1]).name, "web.app:1");
  EXPECT_EQ(std::get<Resolved>(all[2]).target_group, "web.app:60000");
}

}  // namespace
}  // namespace heddle::mesh
