// Nodes come up in an order that their waits allow, and a circle is named.
#include "topologies/engine/stages/stages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heddle::stages {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Node node(const std::string& name) {
  return {.name = name};
}
Node node(const std::string& name, Stage stage, std::vector<Wait> waits) {
  Node out{.name = name};
  out.waits[static_cast<std::size_t>(stage)] = std::move(waits);
  return out;
}

// Runs everything, what may begin first comes first; `a create` and so on.
std::vector<std::string> order_of(const std::vector<Node>& nodes) {
  auto scheduler = Scheduler::make(nodes);
  EXPECT_TRUE(scheduler) << scheduler.error().text();
  std::vector<std::string> out;
  while (!scheduler->finished()) {
    const auto tasks = scheduler->take();
    if (tasks.empty()) {
      ADD_FAILURE() << "nothing may begin";
      break;
    }
    for (const auto& task : tasks) {
      out.push_back(nodes[task.node].name + " " + std::string(name_of(task.stage)));
      scheduler->done(task);
    }
  }
  return out;
}

TEST(Stages, NodesWithoutWaitsGoTogether) {
  EXPECT_THAT(order_of({node("a"), node("b")}),
              ElementsAre("a create", "b create", "a create-links", "b create-links", "a configure",
                          "b configure"));
}

TEST(Stages, AWaitHoldsANodeBackAndItsLaterStages) {
  EXPECT_THAT(order_of({node("a", Stage::create, {{"b", Stage::configure}}), node("b")}),
              ElementsAre("b create", "b create-links", "b configure", "a create", "a create-links",
                          "a configure"));
}

TEST(Stages, HealthyAndExitAreEnteredWhereSomebodyWaits) {
  EXPECT_THAT(order_of({node("a"), node("b", Stage::configure, {{"a", Stage::exit}})}),
              ElementsAre("a create", "b create", "a create-links", "b create-links", "a configure",
                          "a exit", "b configure"));
}

TEST(Stages, ATaskIsTakenOnceAndNothingBeginsBeforeItsTime) {
  auto scheduler = Scheduler::make({node("a")});
  ASSERT_TRUE(scheduler);
  const auto first = scheduler->take();
  ASSERT_THAT(first, ElementsAre(Scheduler::Task{0, Stage::create}));
  EXPECT_THAT(scheduler->take(), IsEmpty());
  scheduler->done(first.front());
  EXPECT_THAT(scheduler->take(), ElementsAre(Scheduler::Task{0, Stage::create_links}));
  EXPECT_FALSE(scheduler->finished());
}

TEST(Stages, NodesThatAreUpAreNotWaitedFor) {
  EXPECT_EQ(order_of({node("a", Stage::create, {{"elsewhere", Stage::healthy}})}).size(), 3U);
}

TEST(Stages, ACircleIsNamed) {
  const auto made = Scheduler::make({node("z"), node("a", Stage::create, {{"b", Stage::configure}}),
                                     node("b", Stage::create_links, {{"a", Stage::create}})});
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().text(), HasSubstr("in a circle: "));
  EXPECT_THAT(made.error().text(), HasSubstr("a create waits for b configure, which waits for b "
                                             "create-links, which waits for a create"));
}

TEST(Stages, ANodeThatWaitsForItsOwnLaterStageIsACircle) {
  EXPECT_FALSE(Scheduler::make({node("a", Stage::create, {{"a", Stage::healthy}})}));
}

TEST(Stages, TenThousandInAChainAreOrdered) {
  std::vector<Node> nodes{node("0")};
  for (int i = 1; i < 10'000; ++i)
    nodes.push_back(
        node(std::to_string(i), Stage::create, {{std::to_string(i - 1), Stage::configure}}));
  EXPECT_EQ(order_of(nodes).size(), 30'000U);
}

}  // namespace
}  // namespace heddle::stages
