#include "netd/model/view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heddle::model {
namespace {

std::string digits(const std::string& start) {
  return start + std::string(64 - start.size(), '0');
}

TEST(FindWorkload, TakesEveryWayOfNaming) {
  View all;
  all.workloads["0123456789abcdef"] = {.id = "0123456789abcdef",
                                       .name = "web-x",
                                       .kind = WorkloadKind::docker,
                                       .sandbox = "/run/heddle/netns/c1",
                                       .container = digits("feedc0de"),
                                       .container_name = "Web.x"};
  all.workloads["1123456789abcdef"] = {.id = "1123456789abcdef",
                                       .name = "pid-7",
                                       .kind = WorkloadKind::pid,
                                       .sandbox = "/proc/7/ns/net",
                                       .sandbox_owner = "7:99"};
  all.workloads["2123456789abcdef"] = {.id = "2123456789abcdef",
                                       .name = "db",
                                       .kind = WorkloadKind::docker,
                                       .container = digits("feedbeef"),
                                       .container_name = "db"};
  const auto id_of = [&](const std::string& ref) {
    const auto found = find_workload(all, ref);
    return found ? (*found)->id.substr(0, 1) : found.error().text();
  };
  EXPECT_EQ(id_of("web-x"), "0");
  EXPECT_EQ(id_of("0123"), "0");
  EXPECT_EQ(id_of("docker:Web.x"), "0");
  EXPECT_EQ(id_of("docker:feedc"), "0");
  EXPECT_EQ(id_of("docker:" + digits("feedbeef")), "2");
  EXPECT_EQ(id_of("netns:/proc/7/ns/net"), "1");
  EXPECT_EQ(id_of("pid:7"), "1");
  EXPECT_EQ(id_of("podman:db"), "no workload 'podman:db' is known here");
  EXPECT_EQ(id_of("docker:web-x"), "no workload 'docker:web-x' is known here")
      << "the engine's name is meant";
  EXPECT_EQ(id_of("docker:fee"), "no workload 'docker:fee' is known here");
  EXPECT_EQ(id_of("docker:feed"),
            "several containers have an id that starts with 'feed'; give more digits");
  EXPECT_EQ(id_of("pid:"), "no workload 'pid:' is known here");
  EXPECT_EQ(id_of("netns:"), "no workload 'netns:' is known here") << "the stopped container";
}

using ::testing::ElementsAre;
using ::testing::IsEmpty;

AddressBlock block(const Id& network, const char* prefix, const Id& node) {
  return {network, Prefix::parse(prefix).value(), node};
}

TEST(View, BackendsOfADrainedNodeDrain) {
  View view;
  Endpoint ready{.node = "n1"};
  ready.state = EndpointState::ready;
  Endpoint starting = ready;
  starting.state = EndpointState::starting;
  EXPECT_TRUE(view.usable(ready));
  view.drained = {"n1"};
  EXPECT_FALSE(view.usable(ready));
  EXPECT_EQ(view.state_of(ready), EndpointState::draining);
  EXPECT_EQ(view.state_of(starting), EndpointState::starting);
  ready.node = "n2";
  EXPECT_TRUE(view.usable(ready));
}

TEST(Blocks, AreFoundByNetworkAndNode) {
  const Blocks blocks({block("a", "10.0.0.64/26", "h2"), block("b", "10.1.0.0/26", "h1"),
                       block("a", "10.0.0.0/26", "h1")});
  EXPECT_THAT(blocks.of("a"),
              ElementsAre(block("a", "10.0.0.0/26", "h1"), block("a", "10.0.0.64/26", "h2")));
  EXPECT_THAT(blocks.of("a", "h2"), ElementsAre(Prefix::parse("10.0.0.64/26").value()));
  EXPECT_THAT(blocks.of("b", "h2"), IsEmpty());
  EXPECT_THAT(blocks.of("c"), IsEmpty());
  EXPECT_THAT(Blocks().of("a"), IsEmpty());
}

TEST(Blocks, AnAddedOneIsAsOneThatWasThere) {
  const AddressBlock one = block("a", "10.0.0.0/26", "h1");
  const AddressBlock two = block("a", "10.0.0.64/26", "h2");
  Blocks added;
  added.add(two);
  const Blocks copy = added;
  added.add(one);
  added.add(one);
  EXPECT_THAT(added.differences(Blocks({one, two})), IsEmpty());
  EXPECT_THAT(copy.of("a"), ElementsAre(two)) << "a copy is another value";
}

TEST(Blocks, TellOfWhichNetworksTheyDiffer) {
  const Blocks before({block("a", "10.0.0.0/26", "h1"), block("b", "10.1.0.0/26", "h1"),
                       block("c", "10.2.0.0/26", "h1")});
  const Blocks after({block("a", "10.0.0.0/26", "h1"), block("b", "10.1.0.0/26", "h2"),
                      block("d", "10.3.0.0/26", "h1")});
  EXPECT_THAT(before.differences(after), ElementsAre("b", "c", "d"));
  EXPECT_THAT(after.differences(before), ElementsAre("b", "c", "d"));
  View one;
  View other;
  one.blocks = before;
  other.blocks = after;
  EXPECT_THAT(compare(one, other).blocks, ElementsAre("b", "c", "d"));
  other.blocks = one.blocks;
  EXPECT_THAT(compare(one, other).blocks, IsEmpty());
}

}  // namespace
}  // namespace heddle::model
