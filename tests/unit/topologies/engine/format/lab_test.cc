#include "topologies/engine/format/lab.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heddle::format {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Lab parse_good(const std::string& text, const Environment& environment = {}) {
  auto lab = parse_lab(text, "f.yml", environment);
  EXPECT_TRUE(lab) << lab.error().text();
  return lab ? *std::move(lab) : Lab{};
}
std::string lab_error(const std::string& text) {
  const auto lab = parse_lab(text, "f.yml", {});
  return lab ? "" : lab.error().text();
}

TEST(Lab, HostsGetAddressesInOrderAroundGivenOnes) {
  const Lab lab = parse_good(
      "name: x\nhosts:\n  h1: {}\n  h2: {address: 10.99.0.12}\n  h3:\n"
      "topology: {nodes: {c: {underlay: true}, d: {}}}\n");
  EXPECT_EQ(lab.hosts[0].address.format(), "10.99.0.11");
  EXPECT_EQ(lab.hosts[1].address.format(), "10.99.0.12");
  EXPECT_EQ(lab.hosts[2].address.format(), "10.99.0.13");
  EXPECT_EQ(lab.nodes[0].underlay->format(), "10.99.0.101");
  EXPECT_FALSE(lab.nodes[1].underlay);
  EXPECT_TRUE(lab.hosts[0].daemon);
}

TEST(Lab, SmallUnderlaysUseAllTheirAddresses) {
  const Lab lab =
      parse_good("name: x\nunderlay: {subnet: 10.0.0.0/29}\nhosts: {a: , b: , c: , d: , e: }\n");
  EXPECT_EQ(lab.hosts[4].address.format(), "10.0.0.6");
  EXPECT_THAT(lab_error("name: x\nunderlay: {subnet: 10.0.0.0/29}\n"
                        "hosts: {a: , b: , c: , d: , e: , f: }\n"),
              HasSubstr("no address left"));
}

TEST(Lab, WithoutHostsThereIsNoUnderlay) {
  EXPECT_FALSE(parse_good("name: x\ntopology: {nodes: {a: {}}}\n").underlay);
}

// containerlab: node, then group, then kind, then defaults; env, exec and binds merge.
TEST(Lab, NodesFollowContainerlabsPrecedence) {
  const Lab lab = parse_good(R"(
name: x
topology:
  defaults: {kind: linux, env: {A: default, B: default}, exec: [first], binds: ["a:/x", "b:/y"]}
  kinds: {linux: {env: {B: kind, C: kind}, exec: [second]}}
  groups: {g: {env: {C: group}, binds: ["c:/y:ro"]}}
  nodes:
    n: {group: g, env: {A: node}, exec: [third], cmd: sleep infinity}
)");
  const Node& node = lab.nodes.at(0);
  EXPECT_THAT(node.exec, ElementsAre("first", "second", "third"));
  EXPECT_THAT(node.binds, ElementsAre("a:/x", "c:/y:ro"));
  EXPECT_EQ(node.env.at("A"), "node");
  EXPECT_EQ(node.env.at("B"), "kind");
  EXPECT_EQ(node.env.at("C"), "group");
  EXPECT_EQ(node.command, "sleep infinity");
}

TEST(Lab, UnmodifiedContainerlabFilesAreReadWithWarnings) {
  const Lab lab = parse_good(R"(
name: srv
prefix: ""
mgmt: {network: custom, ipv4-subnet: 172.100.100.0/24}
topology:
  kinds: {linux: {image: alpine:latest}}
  nodes:
    client1:
      kind: linux
      mgmt-ipv4: 172.100.100.2
      exec: ["ip link set eth1 mtu 1400"]
      labels: {a: b}
    br1: {kind: bridge}
  links:
    - endpoints: ["client1:eth1", "br1:eth1"]
    - type: veth
      endpoints:
        - {node: client1, interface: eth2, mac: "02:00:00:00:00:01", ipv4: 192.168.1.1/24}
        - {node: br1, interface: eth2}
      mtu: 9000
)");
  EXPECT_EQ(lab.links.size(), 2U);
  EXPECT_EQ(lab.links[1].a.mac->format(), "02:00:00:00:00:01");
  EXPECT_EQ(lab.links[1].mtu, 9000U);
  EXPECT_THAT(lab.warnings, ElementsAre(HasSubstr("image: ignored")));
  EXPECT_EQ(lab.nodes[0].mgmt_ipv4->format(), "172.100.100.2");
  EXPECT_FALSE(lab.nodes[1].mgmt);
}

TEST(Lab, EnvironmentIsExpandedOutsideStepsAndFiles) {
  const Lab lab = parse_good(
      "name: ${LAB:=x}\nhosts: {h: {files: {f: \"${host.name}\"}}}\n"
      "topology: {nodes: {n: {env: {V: \"${VALUE}\"}}}}\n"
      "steps: [{on: h, run: \"echo ${LATER}\"}]\n",
      {{"VALUE", "1"}});
  EXPECT_EQ(lab.name, "x");
  EXPECT_EQ(lab.nodes[0].env.at("V"), "1");
  EXPECT_EQ(lab.hosts[0].files.at("f"), "${host.name}");
  EXPECT_EQ(std::get<RunAction>(lab.steps[0].action).shown, "echo ${LATER}");
  EXPECT_THAT(lab_error("name: ${NOT_THERE}\n"),
              HasSubstr("f.yml:1:7: name: ${NOT_THERE} is not set"));
}

struct Bad {
  const char* text;
  const char* error;
};
class BadLab : public ::testing::TestWithParam<Bad> {};
TEST_P(BadLab, IsRefusedWithItsPlace) {
  EXPECT_THAT(lab_error(GetParam().text), HasSubstr(GetParam().error));
}
INSTANTIATE_TEST_SUITE_P(
    Labs, BadLab,
    ::testing::Values(
        Bad{"", "a lab file is a map"}, Bad{"[a]", "f.yml:1:1: a lab file is a map"},
        Bad{"hosts: {}", "name: missing"}, Bad{"name: a/b", "f.yml:1:7: name: must be"},
        Bad{"name: x\nhots: {}", "f.yml:2:1: hots: unknown key; did you mean \"hosts\"?"},
        Bad{"name: x\nhosts: [a]", "f.yml:2:8: hosts: must be a map"},
        Bad{"name: x\nhosts: {h: {adress: 1}}", "did you mean \"address\"?"},
        Bad{"name: x\nhosts: {h: {address: 10.99.1.1}}", "not in the underlay's subnet"},
        Bad{"name: x\nhosts: {h: {address: 10.99.0.1}}", "gateway address"},
        Bad{"name: x\nhosts: {a: {address: 10.99.0.5}, b: {address: 10.99.0.5}}",
            "10.99.0.5 belongs to a already"},
        Bad{"name: x\nhosts: {a: {files: {../x: y}}}", "relative path"},
        Bad{"name: x\nhosts: {a: }\ntopology: {nodes: {a: {}}}", "a host has this name already"},
        Bad{"name: x\nunderlay: {subnet: 10.0.0.1/24}", "underlay.subnet"},
        Bad{"name: x\ntopology: {nodes: {r: {kind: nokia_srlinux}}}",
            "kind \"nokia_srlinux\" is not supported; linux, bridge and host are"},
        Bad{"name: x\ntopology: {nodes: {a: }, links: [{endpoints: [\"a:eth1\"]}]}",
            "a list of two"},
        Bad{"name: x\ntopology: {nodes: {a: , b: }, links: [{endpoints: [\"a:eth1\", "
            "\"c:eth1\"]}]}",
            "no node or host \"c\""},
        Bad{"name: x\ntopology: {nodes: {a: }, links: [{endpoints: [\"a:eth1\", \"a:eth1\"]}]}",
            "used twice"},
        Bad{"name: x\ntopology: {nodes: {a: , b: }, links: [{endpoints: [\"a:e\", \"b:e\"], "
            "ipv4: [10.0.0.1]}]}",
            "address with its length"},
        Bad{"name: x\ntopology: {nodes: {a: , b: }, links: [{endpoints: [\"a:e\", \"b:e\"], "
            "ipv4: [10.0.0.1/24, 10.0.0.1/24]}]}",
            "unique in a lab"}));

}  // namespace
}  // namespace heddle::format
