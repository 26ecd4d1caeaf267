// What containerlab's files say of nodes beside links: how it is read, and what is refused.
#include "topologies/engine/format/node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "topologies/engine/format/lab.h"

namespace heddle::format {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::chrono_literals;
using stages::Stage;

Lab lab_from(const std::string& text) {
  auto lab = parse_lab(text, "f.yml", {});
  EXPECT_TRUE(lab) << lab.error().text();
  return lab ? *std::move(lab) : Lab{};
}
std::string refusal_of(const std::string& text) {
  const auto lab = parse_lab(text, "f.yml", {});
  return lab ? "" : lab.error().text();
}
std::string nodes(const std::string& text) {
  return "name: x\ntopology: {nodes: " + text + "}\n";
}

TEST(Node, WhatCanBeRealIsRead) {
  const Lab lab = lab_from(R"(
name: x
topology:
  defaults: {cpu: 0.5, dns: {servers: [10.0.0.1], search: [a.example]}}
  nodes:
    n:
      hostname: __clabNodeName__-box
      user: "1000:1000"
      env-files: [a.env]
      tmpfs: {/mnt: "size=1m"}
      memory: 1.5Gb
      cpu-set: 0-1
      startup-delay: 3
      healthcheck: {test: [CMD-SHELL, "true"], interval: 5, retries: 2}
)");
  EXPECT_THAT(lab.warnings, IsEmpty());
  const Node& node = lab.nodes.at(0);
  EXPECT_EQ(node.hostname, "n-box");
  EXPECT_EQ(node.user, "1000:1000");
  EXPECT_THAT(node.env_files, ElementsAre("a.env"));
  EXPECT_EQ(node.tmpfs.at("/mnt"), "size=1m");
  EXPECT_EQ(node.limits.memory, 3ULL << 29);
  EXPECT_DOUBLE_EQ(node.limits.cpu, 0.5);
  EXPECT_THAT(node.dns.servers, ElementsAre("10.0.0.1"));
  EXPECT_EQ(node.startup_delay, 3s);
  ASSERT_TRUE(node.healthcheck);
  EXPECT_THAT(node.healthcheck->test, ElementsAre("/bin/sh", "-c", "true"));
  EXPECT_EQ(node.healthcheck->interval, 5s);
  EXPECT_EQ(node.healthcheck->timeout, 30s);
}

TEST(Node, StagesAreRead) {
  const Lab lab = lab_from(R"(
name: x
topology:
  nodes:
    a:
      stages:
        create: {wait-for: [{node: b, stage: configure}]}
        configure: {exec: [{command: one}, {command: two, phase: on-exit, target: host}]}
    b: {}
)");
  const Stages& stages = lab.nodes.at(0).stages;
  EXPECT_THAT(stages[0].wait_for, ElementsAre(stages::Wait{"b", Stage::configure}));
  ASSERT_EQ(stages[2].exec.size(), 2U);
  EXPECT_FALSE(stages[2].exec[0].at_exit);
  EXPECT_TRUE(stages[2].exec[1].at_exit);
  EXPECT_TRUE(stages[2].exec[1].on_machine);
}

TEST(Node, TheManagementNetworkIsThereWhenSomethingNamesIt) {
  EXPECT_FALSE(lab_from(nodes("{a: , b: }")).mgmt);
  const Lab lab =
      lab_from(nodes("{a: {mgmt-ipv4: 172.20.20.2}, b: , c: {network-mode: none}, "
                     "d: {kind: bridge}, e: {underlay: true}}"));
  ASSERT_TRUE(lab.mgmt);
  EXPECT_EQ(lab.mgmt->ipv4_gateway->format(), "172.20.20.1");
  EXPECT_EQ(lab.nodes[0].mgmt_ipv4->format(), "172.20.20.2");
  EXPECT_EQ(lab.nodes[1].mgmt_ipv4->format(), "172.20.20.3");
  for (const std::size_t other : {2, 3, 4}) EXPECT_FALSE(lab.nodes[other].mgmt) << other;
}

TEST(Node, BothFamiliesAreGivenWhereBothAreNamed) {
  const Lab lab = lab_from(
      "name: x\nmgmt: {ipv4-subnet: 10.9.0.0/29, ipv6-subnet: \"fd00:9::/64\"}\n"
      "topology: {nodes: {a: , b: }}\n");
  EXPECT_EQ(lab.nodes[1].mgmt_ipv4->format(), "10.9.0.3");
  EXPECT_EQ(lab.nodes[1].mgmt_ipv6->format(), "fd00:9::3");
}

TEST(Node, LinksWithOneEnd) {
  const Lab lab = lab_from(R"(
name: x
topology:
  nodes: {n: }
  links:
    - {type: dummy, endpoint: {node: n, interface: d0, ipv4: 10.0.0.1/32}}
    - {type: vxlan, endpoint: {node: n, interface: v0}, remote: 192.0.2.1, vni: 100,
       dst-port: 14789}
    - {type: macvlan, endpoint: {node: n, interface: m0}, host-interface: eth9, mode: vepa}
    - {endpoints: ["macvlan:eth9", "n:m1"]}
    - {type: host, endpoint: {node: n, interface: h0}, host-interface: lab0}
    - {type: mgmt-net, endpoint: {node: n, interface: e5}, host-interface: p5}
)");
  ASSERT_EQ(lab.devices.size(), 4U);
  EXPECT_EQ(lab.devices[0].kind, Device::Kind::dummy);
  EXPECT_EQ(lab.devices[1].remote.format(), "192.0.2.1");
  EXPECT_EQ(lab.devices[1].port, 14789);
  EXPECT_EQ(lab.devices[2].mode, "vepa");
  EXPECT_EQ(lab.devices[3].parent, "eth9");
  EXPECT_EQ(lab.devices[3].interface, "m1");
  ASSERT_EQ(lab.links.size(), 2U);
  EXPECT_EQ(lab.links[0].b.node, "host");
  EXPECT_EQ(lab.links[0].b.interface, "lab0");
  EXPECT_EQ(lab.links[1].b.node, "mgmt-net");
  EXPECT_TRUE(lab.mgmt);
}

TEST(Node, ABridgeHasSoManyPorts) {
  const auto file = [](int ports) {
    std::string text = "name: x\ntopology:\n  nodes: {b: {kind: bridge}, n: }\n  links:\n";
    for (int i = 0; i < ports; ++i)
      text +=
          "    - endpoints: [\"n:e" + std::to_string(i) + "\", \"b:e" + std::to_string(i) + "\"]\n";
    return text;
  };
  EXPECT_EQ(refusal_of(file(1023)), "");
  EXPECT_THAT(refusal_of(file(1024)), HasSubstr("b: 1024 links to one bridge"));
}

struct BadText {
  const char* nodes;
  const char* error;
};
class BadNode : public ::testing::TestWithParam<BadText> {};
TEST_P(BadNode, IsRefused) {
  const std::string error = refusal_of(nodes(GetParam().nodes));
  EXPECT_THAT(error, HasSubstr(GetParam().error));
  EXPECT_THAT(error, HasSubstr("f.yml:2:"));
}
INSTANTIATE_TEST_SUITE_P(
    Nodes, BadNode,
    ::testing::Values(
        BadText{"{n: {cpu: many}}", "n.cpu: must be a number of cores"},
        BadText{"{n: {memory: 5 parsecs}}", "n.memory: must be a size"},
        BadText{"{n: {cpu-set: all}}", "n.cpu-set: must be cores"},
        BadText{"{n: {network-mode: container:z}}", "\"z\" is no linux node"},
        BadText{"{n: {network-mode: lan}}", "must be bridge, none, host or container:NODE"},
        BadText{"{n: {mgmt-ipv4: 10.0.0.1}}", "not in the management subnet"},
        BadText{"{n: {mgmt-ipv4: 172.20.20.1}}", "172.20.20.1 is taken"},
        BadText{"{n: {mgmt-ipv4: hello}}", "must be an IPv4 address"},
        BadText{"{n: {tmpfs: {tmp: x}}}", "must be an absolute path"},
        BadText{"{n: {dns: {servers: [x]}}}", "must be addresses"},
        BadText{"{n: {healthcheck: {test: []}}}", "healthcheck.test: must be"},
        BadText{"{n: {stages: {crate: {}}}}", "did you mean \"create\"?"},
        BadText{"{n: {stages: {create: {wait-for: [{node: m, stage: create}]}}}}",
                "no node or host \"m\""},
        BadText{"{n: {stages: {create: {wait-for: [{node: n, stage: creat}]}}}}",
                "did you mean \"create\"?"},
        BadText{"{a: {stages: {create: {wait-for: [{node: b, stage: create}]}}}, "
                "b: {stages: {create: {wait-for: [{node: a, stage: create}]}}}}",
                "a create waits for b create, which waits for a create"},
        BadText{"{a: {stages: {create: {wait-for: [{node: b, stage: healthy}]}}}, b: }",
                "b has no healthcheck"},
        BadText{"{a: {stages: {create: {wait-for: [{node: b, stage: exit}]}}}, b: }",
                "b runs no cmd"},
        BadText{"{a: {stages: {create: {exec: [{command: x}]}}}}", "not there yet"},
        BadText{"{a: {stages: {create: {exec: [{command: x, phase: later}]}}}}",
                "must be on-enter or on-exit"}));

TEST(Node, LinksOfUnknownKindsAndShapesAreRefused) {
  const auto links = [](const std::string& link) {
    return refusal_of("name: x\ntopology:\n  nodes: {n: }\n  links:\n    - " + link + "\n");
  };
  EXPECT_THAT(links("{type: vxlan-stitch, endpoints: []}"), HasSubstr("is no type of link here"));
  EXPECT_THAT(links("{type: vxlan, endpoint: {node: n, interface: v}}"),
              HasSubstr("f.yml:5:7: topology.links[0].remote: missing"));
  EXPECT_THAT(
      links("{type: macvlan, endpoint: {node: n, interface: v}, host-interface: e, mode: x}"),
      HasSubstr("\"x\" is no mode"));
  EXPECT_THAT(links("{type: dummy, endpoint: {node: m, interface: v}}"),
              HasSubstr("no node or host \"m\""));
  EXPECT_THAT(links("{type: dummy}"), HasSubstr("endpoint: missing"));
}

TEST(Node, OverlaysAndServicesInComposesShapes) {
  const Lab lab = lab_from(R"(
name: x
hosts: {h1: , h2: , h3: {daemon: false}}
overlays:
  app: {ipam: {config: [{subnet: 10.40.0.0/20, gateway: 10.40.0.1}]}, labels: [a=b]}
services:
  web: {deploy: {replicas: 3}, command: nginx -g x, networks: [app], ports: ["8080:80"],
        environment: {A: 1}, restart: unless-stopped}
  one: {hosts: h2, command: [sleep, infinity], networks: {app: {aliases: [uno]}}}
)");
  EXPECT_EQ(lab.overlays.at(0).labels.at("a"), "b");
  EXPECT_THAT(lab.services.at(0).hosts, ElementsAre("h1", "h2", "h1"));
  EXPECT_EQ(lab.services[0].restart, "always");
  EXPECT_THAT(lab.services[1].command, ElementsAre("sleep", "infinity"));
  EXPECT_THAT(lab.services[1].networks.at(0).aliases, ElementsAre("uno"));
  const std::string host = "name: x\nhosts: {h1: }\n";
  EXPECT_THAT(refusal_of(host + "services: {w: {command: a, networks: [b]}}"),
              HasSubstr("f.yml:3:12: services.w.networks: no overlay \"b\""));
  EXPECT_THAT(refusal_of(host + "services: {w: {command: a, hosts: [b]}}"),
              HasSubstr("no host \"b\" that runs heddled; known are: h1"));
  EXPECT_THAT(refusal_of(host + "services: {w: {command: a, hosts: [h11]}}"),
              HasSubstr("did you mean \"h1\"?"));
  EXPECT_THAT(refusal_of(host + "services: {w: {hosts: [h1]}}"), HasSubstr("command: missing"));
  EXPECT_THAT(refusal_of("name: x\nservices: {w: {command: a}}"),
              HasSubstr("no host of the lab runs heddled"));
  EXPECT_THAT(refusal_of(host + "overlays: {a: {driver: overlai}}"),
              HasSubstr("did you mean \"overlay\"?"));
}

}  // namespace
}  // namespace heddle::format
