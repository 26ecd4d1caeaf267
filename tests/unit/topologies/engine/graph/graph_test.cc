#include "topologies/engine/graph/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "topologies/engine/graph/text.h"

namespace heddle::graph {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

Graph graph_of_text(const char* text) {
  const auto lab = format::parse_lab(text, "f.yml", {});
  EXPECT_TRUE(lab) << lab.error().text();
  return graph_of(*lab);
}

constexpr const char* kLab = R"(
name: demo
hosts: {h1: {}, h2: {daemon: false}}
topology:
  nodes: {out: {underlay: 10.99.0.200, group: west}, br: {kind: bridge}, n: {}}
  links:
    - {endpoints: ["out:eth1", "br:p1"], ipv4: [192.168.0.1/24]}
    - {endpoints: ["n:eth1", "host:lab0"], mtu: 9000}
)";

TEST(Graph, HasHostsNodesTheMachineAndTheUnderlay) {
  const Graph graph = graph_of_text(kLab);
  std::vector<std::string> kinds;
  for (const Node& node : graph.nodes) kinds.push_back(node.name + " " + node.kind);
  EXPECT_THAT(kinds, ElementsAre("h1 host", "h2 host", "out linux", "br bridge", "n linux",
                                 "host machine", "underlay underlay"));
  ASSERT_EQ(graph.links.size(), 5U);  // three to the underlay
  EXPECT_EQ(graph.nodes[graph.links[2].a.node].name, "out");
  EXPECT_THAT(graph.links[2].a.addresses, ElementsAre("10.99.0.200/24"));
  EXPECT_THAT(graph.links[3].a.addresses, ElementsAre("192.168.0.1/24"));
  EXPECT_EQ(graph.nodes[graph.links[4].b.node].name, "host");
  EXPECT_EQ(graph.links[4].mtu, 9000U);
  EXPECT_EQ(graph.nodes[2].group, "west");
  EXPECT_THAT(graph.nodes[1].details, Contains(Pair("heddled", "does not run here")));
}

TEST(Graph, CommandsCanBeCopiedWhateverNamesAre) {
  format::Lab lab = *format::parse_lab(kLab, "f.yml", {});
  lab.links[1].a.interface = "$(reboot)'";
  const Graph graph = graph_of(lab);
  EXPECT_THAT(graph.links[4].commands,
              ElementsAre("heddle lab capture --name demo 'n:$(reboot)'\\''' | wireshark -k -i -"));
  EXPECT_EQ(shell_word(""), "''");
  EXPECT_EQ(shell_word("h1:eth0"), "h1:eth0");
  EXPECT_EQ(shell_word("a b"), "'a b'");
}

TEST(Graph, AStatusSaysWhoIsDownAndWhichLinksAreDark) {
  Graph graph = graph_of_text(kLab);
  add_status(graph, {.name = "demo",
                     .file = "",
                     .daemon_pid = 1,
                     .members = {{.name = "h1", .kind = "host", .state = "daemon dead"},
                                 {.name = "h2", .kind = "host", .state = "down"}},
                     .background = {}});
  EXPECT_EQ(graph.nodes[0].state, "daemon dead");
  EXPECT_EQ(graph.nodes[1].state, "down");
  EXPECT_EQ(graph.nodes[3].state, "running");  // a bridge always is
  EXPECT_EQ(graph.links[0].state, "up");
  EXPECT_EQ(graph.links[1].state, "cut");
}

TEST(Mermaid, HasANodeForEachAndALineForEachLink) {
  Graph graph = graph_of_text(
      "name: two\ntopology: {nodes: {a: {}, b: {kind: bridge}}, "
      "links: [{endpoints: [\"a:eth1\", \"b:p\"]}]}");
  graph.links[0].forward = "delay 20ms";
  EXPECT_EQ(format_mermaid(graph),
            "---\ntitle: \"two\"\n---\ngraph LR\n"
            "  n0(\"a\")\n  n1{{\"b\"}}\n"
            "  n0 ---|\"eth1 \u00b7 p<br/>\u2192 delay 20ms\"| n1\n"
            "  classDef down fill:#b3261e,color:#fff\n  classDef odd fill:#b26a00,color:#fff\n");
}

TEST(Mermaid, NothingOfANameIsSyntax) {
  Graph graph = graph_of_text(
      "name: two\ntopology: {nodes: {a: {}, b: {}}, "
      "links: [{endpoints: [\"a:eth1\", \"b:eth1\"]}]}");
  graph.links[0].a.interface = "\"]|<script>;#--{";
  const std::string text = format_mermaid(graph);
  EXPECT_THAT(text, HasSubstr("|\"#34;#93;#124;#60;script#62;#59;#35;--#123; \u00b7 eth1\"|"));
  EXPECT_THAT(text, Not(HasSubstr("<script>")));
}

TEST(Dot, QuotesWhatItNames) {
  Graph graph = graph_of_text("name: two\nhosts: {h1: {}}\n");
  graph.links[0].a.interface = "a\"b\\c";
  graph.nodes[0].state = "down";
  EXPECT_EQ(format_dot(graph),
            "graph \"two\" {\n"
            "  node [shape=box, style=\"rounded,filled\", fillcolor=white, "
            "fontname=\"sans-serif\"];\n"
            "  edge [fontname=\"sans-serif\", fontsize=9];\n"
            "  \"h1\" [label=\"h1\\n10.99.0.11\", fillcolor=\"#e57373\"];\n"
            "  \"underlay\" [label=\"underlay\\n10.99.0.1\", shape=ellipse];\n"
            "  \"h1\" -- \"underlay\" [taillabel=\"a\\\"b\\\\c\", headlabel=\"\"];\n}\n");
}

}  // namespace
}  // namespace heddle::graph
