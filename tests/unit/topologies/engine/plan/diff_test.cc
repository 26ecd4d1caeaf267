// A deploy changes what differs and nothing else.
#include "topologies/engine/plan/diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heddle::plan {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

Plan plan_of(const std::string& text) {
  auto lab = format::parse_lab(text, "f.yml", {});
  EXPECT_TRUE(lab) << lab.error().text();
  auto plan = plan_lab(*lab, LabPaths(roots_for("", "/cg"), "x"));
  EXPECT_TRUE(plan);
  return *std::move(plan);
}

const std::string kHosts = "name: x\nhosts: {h1: {env: {A: b}}, h2: }\n";
std::string nodes(const std::string& nodes, const std::string& links) {
  return "name: x\ntopology: {nodes: {" + nodes + "}, links: [" + links + "]}\n";
}
constexpr const char* kLink = "{endpoints: [\"a:e1\", \"b:e1\"], ipv4: [10.0.0.1/24]}";

TEST(Diff, EqualLabsDifferInNothing) {
  EXPECT_TRUE(diff(plan_of(kHosts), plan_of(kHosts)).empty());
  // Where something stands in the file does not matter.
  EXPECT_TRUE(diff(plan_of(kHosts), plan_of("# moved\n\n" + kHosts)).empty());
}

TEST(Diff, AFurtherNodeAndLinkAreAllThatIsMade) {
  const Plan before = plan_of(nodes("a: , b: ", kLink));
  const Plan after =
      plan_of(nodes("a: , b: , c: ", std::string(kLink) + ", {endpoints: [\"b:e2\", \"c:e1\"]}"));
  const Diff up = diff(before, after);
  EXPECT_THAT(up.members_added, ElementsAre("c"));
  EXPECT_THAT(up.members_removed, IsEmpty());
  EXPECT_EQ(up.links_added.size(), 1U);
  EXPECT_THAT(describe(up), ElementsAre("add c", "add link b:e2 - c:e1"));
  EXPECT_THAT(describe(diff(after, before)), ElementsAre("remove c", "remove link b:e2 - c:e1"));
}

TEST(Diff, AChangedLinkIsMadeAgainAndItsNodesStay) {
  const Diff changed =
      diff(plan_of(nodes("a: , b: ", kLink)),
           plan_of(nodes("a: , b: ", "{endpoints: [\"a:e1\", \"b:e1\"], ipv4: [10.0.0.9/24]}")));
  EXPECT_THAT(describe(changed), ElementsAre("make again link a:e1 - b:e1"));
}

TEST(Diff, AChangedNodeTakesItsLinksAlong) {
  const Diff changed = diff(plan_of(nodes("a: , b: , c: ", kLink)),
                            plan_of(nodes("a: {cmd: sleep 1}, b: , c: ", kLink)));
  EXPECT_THAT(describe(changed), ElementsAre("make again a", "make again link a:e1 - b:e1"));
}

TEST(Diff, WhoUsesTheNetworkOfANodeIsMadeAgainWithIt) {
  const Diff changed =
      diff(plan_of(nodes("a: , b: {network-mode: container:a}", "")),
           plan_of(nodes("a: {cmd: sleep 1}, b: {network-mode: container:a}", "")));
  EXPECT_THAT(changed.members_added, UnorderedElementsAre("a", "b"));
}

TEST(Diff, AHostsEnvIsChangedInPlaceItsAddressIsRefused) {
  const Diff env = diff(plan_of(kHosts), plan_of("name: x\nhosts: {h1: {env: {A: c}}, h2: }\n"));
  EXPECT_THAT(describe(env), ElementsAre("give h1 its new env and files"));
  EXPECT_THAT(env.refused, IsEmpty());
  const Diff address = diff(
      plan_of(kHosts), plan_of("name: x\nhosts: {h1: {env: {A: b}, address: 10.99.0.50}, h2: }\n"));
  EXPECT_THAT(address.refused, testing::Contains(HasSubstr("hosts.h1.address: cannot change")));
  const Diff subnet = diff(plan_of(kHosts), plan_of(kHosts + "underlay: {subnet: 10.98.0.0/24}\n"));
  EXPECT_THAT(subnet.refused, testing::Contains(HasSubstr("underlay: subnet")));
}

TEST(Diff, ServicesComeAndGoByThemselves) {
  const std::string app = "overlays: {app: }\nservices: {w: {command: a, networks: [app]";
  const Plan one = plan_of(kHosts + app + "}}\n");
  const Plan two = plan_of(kHosts + app + ", deploy: {replicas: 2}}}\n");
  EXPECT_THAT(describe(diff(plan_of(kHosts), one)),
              ElementsAre("start a swarm on h1", "join h2 to the swarm", "create network app",
                          "run w-1 on h1"));
  EXPECT_THAT(describe(diff(one, two)), ElementsAre("run w-2 on h2"));
  EXPECT_THAT(describe(diff(two, one)), ElementsAre("remove w-2 from h2"));
}

TEST(Diff, AHostThatJoinsTheLabJoinsItsSwarm) {
  const std::string app = "overlays: {app: }\n";
  const Diff more = diff(plan_of(kHosts + app),
                         plan_of("name: x\nhosts: {h1: {env: {A: b}}, h2: , h3: }\n" + app));
  EXPECT_THAT(more.members_added, ElementsAre("h3"));
  ASSERT_EQ(more.application_added.swarm.joiners.size(), 1U);
  EXPECT_THAT(more.application_added.swarm.init, IsEmpty());
  EXPECT_EQ(more.application_added.swarm.joiners[0].command.back(), "10.99.0.11:7373");
}

}  // namespace
}  // namespace heddle::plan
