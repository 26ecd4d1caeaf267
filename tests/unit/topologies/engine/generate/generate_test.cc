#include "topologies/engine/generate/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "topologies/engine/format/lab.h"

namespace heddle::generate {
namespace {

using ::testing::HasSubstr;

format::Lab lab_of(const Shape& shape, const Options& options = {}) {
  const auto text = generate(shape, options);
  EXPECT_TRUE(text) << text.error().text();
  if (!text) return {};
  auto lab = format::parse_lab(*text, "f.yml", {});
  EXPECT_TRUE(lab) << lab.error().text() << "\n" << text->substr(0, 2000);
  if (!lab) return {};
  EXPECT_TRUE(lab->warnings.empty());
  return *std::move(lab);
}

std::string refusal(const Shape& shape, const Options& options = {}) {
  const auto text = generate(shape, options);
  EXPECT_FALSE(text);
  return text ? "" : text.error().text();
}

// Nodes that are reached from the first over links.
std::size_t reached(const format::Lab& lab) {
  std::set<std::string> seen{lab.nodes.front().name};
  for (bool grew = true; grew;) {
    grew = false;
    for (const format::Link& link : lab.links) {
      if (seen.contains(link.a.node) != seen.contains(link.b.node)) {
        seen.insert(link.a.node);
        seen.insert(link.b.node);
        grew = true;
      }
    }
  }
  return seen.size();
}

std::map<std::string, int> degrees(const format::Lab& lab) {
  std::map<std::string, int> out;
  for (const format::Link& link : lab.links) {
    ++out[link.a.node];
    ++out[link.b.node];
  }
  return out;
}

TEST(Generate, EachShapeHasItsNodesAndLinks) {
  struct Case {
    Shape shape;
    std::size_t nodes;
    std::size_t links;
  };
  for (const Case& one :
       {Case{Clos{{4, 2, 1}}, 7, 10}, Case{Clos{{16, 4}}, 20, 64}, Case{Ring{3}, 3, 3},
        Case{Ring{50}, 50, 50}, Case{Line{2}, 2, 1}, Case{Line{40}, 40, 39}, Case{Star{1}, 2, 1},
        Case{Star{12}, 13, 12}, Case{Mesh{2}, 2, 1}, Case{Mesh{9}, 9, 36}, Case{Tree{2, 3}, 15, 14},
        Case{Tree{1, 4}, 5, 4}, Case{Grid{4, 3}, 12, 17}, Case{Grid{1, 2}, 2, 1},
        Case{Random{30, 4, 7}, 30, 60}, Case{Random{2, 1, 0}, 2, 1}, Case{Random{6, 5, 1}, 6, 15},
        Case{Random{9, 1, 1}, 9, 8}}) {
    const format::Lab lab = lab_of(one.shape);
    EXPECT_EQ(lab.nodes.size(), one.nodes) << one.shape.index();
    EXPECT_EQ(lab.links.size(), one.links) << one.shape.index();
    EXPECT_EQ(reached(lab), one.nodes) << one.shape.index();
  }
}

TEST(Generate, AClosJoinsEachTierWithTheNextAlone) {
  const format::Lab lab = lab_of(Clos{{4, 2, 1}});
  EXPECT_EQ(lab.name, "clos");
  const auto degree = degrees(lab);
  EXPECT_EQ(degree.at("node1-4"), 2);
  EXPECT_EQ(degree.at("node2-1"), 5);
  EXPECT_EQ(degree.at("node3-1"), 2);
  for (const format::Link& link : lab.links) {
    EXPECT_EQ(link.b.node[4], link.a.node[4] + 1) << link.a.node << " " << link.b.node;
  }
}

TEST(Generate, ARingHasTwoLinksAtEachNode) {
  for (const auto& [name, degree] : degrees(lab_of(Ring{7}))) EXPECT_EQ(degree, 2) << name;
}

// parse_lab refuses an address or an interface that is used twice.
TEST(Generate, TheLargestLabsAreReadBack) {
  EXPECT_EQ(lab_of(Clos{{150, 100}}, {.links_per_pair = 2}).links.size(), 30'000U);
  EXPECT_EQ(lab_of(Star{kMaxGenerated - 1}).nodes.size(), 10'000U);
  EXPECT_EQ(lab_of(Star{1023}, {.inner = Options::Inner::bridge}).nodes.size(), 1'024U);
  EXPECT_EQ(lab_of(Mesh{100}, {.routes = true, .steps = true}).steps.size(), 4U);
  EXPECT_EQ(lab_of(Swarm{kMaxSwarm}).hosts.size(), 200U);
}

TEST(Generate, LinksOfAPairHaveInterfacesAndAddressesOfTheirOwn) {
  const format::Lab lab = lab_of(Line{2}, {.links_per_pair = 3});
  ASSERT_EQ(lab.links.size(), 3U);
  EXPECT_EQ(lab.links[2].a.interface, "eth3");
  EXPECT_EQ(lab.links[2].a.addresses.at(0).format(), "10.128.0.4/31");
  EXPECT_EQ(lab.links[2].b.addresses.at(0).format(), "10.128.0.5/31");
  EXPECT_TRUE(lab_of(Line{2}, {.addresses = false}).links[0].a.addresses.empty());
}

TEST(Generate, EqualSeedsGiveEqualLabsAndOthersOthers) {
  const auto once = generate(Random{40, 3, 5}, {});
  EXPECT_EQ(*once, *generate(Random{40, 3, 5}, {}));
  EXPECT_NE(*once, *generate(Random{40, 3, 6}, {}));
}

TEST(Generate, BridgesAreTheInnerNodesAndTheOthersShareASubnet) {
  const format::Lab lab = lab_of(Tree{2, 2}, {.inner = Options::Inner::bridge, .steps = true});
  std::set<std::string> bridges;
  for (const format::Node& node : lab.nodes) {
    if (node.kind == format::NodeKind::bridge) bridges.insert(node.name);
  }
  EXPECT_EQ(bridges, (std::set<std::string>{"node0-1", "node1-1", "node1-2"}));
  for (const format::Link& link : lab.links) {
    EXPECT_TRUE(link.a.addresses.empty());
    EXPECT_EQ(link.b.addresses.empty(), bridges.contains(link.b.node));
  }
  ASSERT_EQ(lab.steps.size(), 1U);
  EXPECT_EQ(std::get<format::RunAction>(lab.steps[0].action).on.size(), 4U);
}

TEST(Generate, RoutesTakeAllShortestWays) {
  const auto text = generate(Clos{{2, 2}}, {.routes = true});
  ASSERT_TRUE(text);
  // From node1-1 (10.127.0.1) to node1-2 (10.127.0.2) over both spines.
  EXPECT_THAT(*text, HasSubstr("to '10.127.0.2 src 10.127.0.1' eth1 10.128.0.1 eth2 10.128.0.3;"));
  EXPECT_THAT(*text, HasSubstr("to '10.127.0.3 src 10.127.0.1' eth1 10.128.0.1;"));
  const format::Lab lab = lab_of(Clos{{2, 2}}, {.routes = true});
  EXPECT_EQ(lab.nodes[0].sysctls.at("net.ipv4.ip_forward"), "1");
  EXPECT_EQ(lab.nodes[0].exec.size(), 1U);
}

TEST(Generate, NoLineIsLongerThanACommandMayBe) {
  std::size_t most = 0;
  for (const format::Node& node : lab_of(Clos{{60, 40}}, {.routes = true}).nodes) {
    most = std::max(most, node.exec.size());
    for (const std::string& line : node.exec) EXPECT_LT(line.size(), 100'000U);
  }
  EXPECT_GT(most, 1U);
}

TEST(Generate, ASwarmsHostsAllJoin) {
  const format::Lab lab = lab_of(Swarm{3}, {.name = "mine"});
  EXPECT_EQ(lab.name, "mine");
  ASSERT_EQ(lab.steps.size(), 3U);
  EXPECT_EQ(std::get<format::RunAction>(lab.steps[1].action).on,
            (std::vector<std::string>{"h2", "h3"}));
  EXPECT_EQ(lab_of(Swarm{1}).steps.size(), 2U);
}

TEST(Generate, NumbersThatCannotBeAreRefusedByName) {
  EXPECT_THAT(refusal(Ring{2}), HasSubstr("a ring's size must be a number from 3 to 10000, not 2"));
  EXPECT_THAT(refusal(Ring{10'001}), HasSubstr("not 10001"));
  EXPECT_THAT(refusal(Line{1}), HasSubstr("a line's size"));
  EXPECT_THAT(refusal(Star{0}), HasSubstr("a star's size"));
  EXPECT_THAT(refusal(Star{10'000}), HasSubstr("a star's size"));
  EXPECT_THAT(refusal(Mesh{246}), HasSubstr("30000 links"));
  EXPECT_THAT(refusal(Mesh{10'000}), HasSubstr("30000 links"));
  EXPECT_THAT(refusal(Clos{{4}}), HasSubstr("2 to 8 tiers"));
  EXPECT_THAT(refusal(Clos{{4, 0}}), HasSubstr("a tier's size"));
  EXPECT_THAT(refusal(Clos{{10'000, 10'000}}), HasSubstr("links"));
  EXPECT_THAT(refusal(Tree{0, 1}), HasSubstr("--fanout"));
  EXPECT_THAT(refusal(Tree{2, 21}), HasSubstr("--depth"));
  EXPECT_THAT(refusal(Tree{10, 9}), HasSubstr("more than 10000 nodes"));
  EXPECT_THAT(refusal(Grid{0, 3}), HasSubstr("a grid's side"));
  EXPECT_THAT(refusal(Grid{1, 1}), HasSubstr("a grid's nodes"));
  EXPECT_THAT(refusal(Grid{4'000'000, 4'000'000}), HasSubstr("a grid's side"));
  EXPECT_THAT(refusal(Random{5, 5, 1}), HasSubstr("--degree must be a number from 1 to 4"));
  EXPECT_THAT(refusal(Random{1, 1, 1}), HasSubstr("the number of nodes"));
  EXPECT_THAT(refusal(Swarm{0}), HasSubstr("a swarm's size"));
  EXPECT_THAT(refusal(Swarm{201}), HasSubstr("a swarm's size"));
  EXPECT_THAT(refusal(Line{3}, {.links_per_pair = 17}), HasSubstr("--links-per-pair"));
  EXPECT_THAT(refusal(Ring{201}, {.routes = true}), HasSubstr("at most 200 nodes"));
  EXPECT_THAT(refusal(Ring{3}, {.addresses = false, .routes = true}), HasSubstr("need addresses"));
}

TEST(Generate, LoopsOfBridgesAreRefused) {
  const Options bridges{.inner = Options::Inner::bridge};
  EXPECT_THAT(refusal(Ring{4}, bridges), HasSubstr("a ring of bridges has a loop"));
  EXPECT_THAT(refusal(Star{4}, {.inner = Options::Inner::bridge, .links_per_pair = 2}),
              HasSubstr("loop"));
  EXPECT_THAT(refusal(Line{2}, bridges), HasSubstr("no inner node"));
  EXPECT_THAT(refusal(Star{1024}, {.inner = Options::Inner::bridge}),
              HasSubstr("would have 1024 links; a Linux bridge has at most 1023 ports"));
  EXPECT_THAT(refusal(Star{4}, {.inner = Options::Inner::bridge, .routes = true}),
              HasSubstr("--routes"));
}

TEST(Generate, NamesThatAreNoneAreRefused) {
  EXPECT_THAT(refusal(Ring{3}, {.name = "a b"}), HasSubstr("--name"));
  EXPECT_THAT(refusal(Ring{3}, {.node_prefix = ""}), HasSubstr("--node-prefix"));
  EXPECT_THAT(refusal(Ring{3}, {.node_prefix = "x: y"}), HasSubstr("--node-prefix"));
  EXPECT_THAT(refusal(Clos{{2, 1}}, {.group_prefix = std::string(41, 'g')}),
              HasSubstr("--group-prefix"));
  EXPECT_EQ(lab_of(Ring{3}, {.name = "null", .node_prefix = "7"}).nodes[0].name, "71");
}

}  // namespace
}  // namespace heddle::generate
