#include "topologies/engine/plan/plan.h"

#include <gtest/gtest.h>

#include <set>

namespace heddle::plan {
namespace {

LabPaths paths_of(const std::string& lab, const std::string& dir = "") {
  return LabPaths(roots_for(dir, "/cg"), lab);
}

format::Lab lab_of(const std::string& text) {
  auto lab = format::parse_lab(text, "f.yml", {});
  EXPECT_TRUE(lab) << lab.error().text();
  return *std::move(lab);
}

constexpr const char* kLab = R"(
name: demo
hosts:
  h1: {files: {a/b: "${host.name} ${h2.address} ${host.files}"}, env: {X: y}}
  h2: {daemon: false}
topology:
  nodes: {out: {underlay: true}, br: {kind: bridge}, me: {kind: host}}
  links:
    - {endpoints: ["out:eth1", "br:a-very-long-interface-name"], ipv4: [192.168.0.1/24]}
    - {endpoints: ["h1:eth1", "me:lab0"], mtu: 1400}
)";

TEST(Plan, EverythingHasItsPlace) {
  const auto plan = plan_lab(lab_of(kLab), paths_of("demo"));
  ASSERT_TRUE(plan) << plan.error().text();
  ASSERT_EQ(plan->bridges.size(), 2U);
  EXPECT_EQ(plan->bridges[0].name, "underlay");
  EXPECT_EQ(plan->bridges[0].addresses.at(0).format(), "10.99.0.1/24");
  EXPECT_EQ(plan->bridges[1].name, "br-br");
  const Member* h1 = plan->find("h1");
  EXPECT_EQ(h1->netns, "/run/heddle/labs/demo/netns/h1");
  EXPECT_EQ(h1->cgroup, "/cg/heddle-lab-demo/h1");
  EXPECT_EQ(h1->env.at("HEDDLE_SOCKET"), "/run/heddle/labs/demo/hosts/h1/heddled.sock");
  EXPECT_EQ(h1->env.at("X"), "y");
  EXPECT_TRUE(h1->daemon);
  EXPECT_FALSE(plan->find("h2")->daemon);
  EXPECT_FALSE(plan->find("br"));  // nothing runs on a bridge
  EXPECT_EQ(plan->find("me")->kind, Member::Kind::machine);
}

TEST(Plan, HostFilesKnowTheirOwnAndOtherHosts) {
  const auto plan = plan_lab(lab_of(kLab), paths_of("demo"));
  const auto& files = plan->find("h1")->files;
  EXPECT_EQ(files.at("/var/lib/heddle/labs/demo/.files/h1/a/b"),
            "h1 10.99.0.12 /var/lib/heddle/labs/demo/.files/h1");
}

TEST(Plan, AnUnknownVariableInAFileIsAnError) {
  const auto plan =
      plan_lab(lab_of("name: x\nhosts: {h: {files: {f: \"${nobody.name}\"}}}\n"), paths_of("x"));
  ASSERT_FALSE(plan);
  EXPECT_NE(plan.error().text().find("hosts.h.files.f: ${nobody.name} is not set"),
            std::string::npos);
}

TEST(Plan, LinksGoWhereTheirEndsAre) {
  const auto plan = plan_lab(lab_of(kLab), paths_of("demo"));
  ASSERT_EQ(plan->veths.size(), 5U);  // three on the underlay
  const Veth& to_bridge = plan->veths[3];
  EXPECT_EQ(to_bridge.b.netns, "/run/heddle/labs/demo/netns/.switch");
  EXPECT_EQ(to_bridge.b.master, "br-br");
  EXPECT_LE(to_bridge.b.interface.size(), kMaxIfName);
  const Veth& to_machine = plan->veths[4];
  EXPECT_TRUE(to_machine.b.machine);
  EXPECT_EQ(to_machine.b.interface, "lab0");
  EXPECT_EQ(to_machine.mtu, 1400U);
  EXPECT_EQ(plan->veths_of("h1").size(), 2U);
}

TEST(Plan, EqualLabsGetEqualMacsAndOthersDiffer) {
  const auto first = plan_lab(lab_of(kLab), paths_of("demo"));
  const auto again = plan_lab(lab_of(kLab), paths_of("demo"));
  std::set<std::string> macs;
  for (std::size_t i = 0; i < first->veths.size(); ++i) {
    EXPECT_EQ(first->veths[i].a.mac, again->veths[i].a.mac);
    EXPECT_FALSE(first->veths[i].a.mac.is_multicast());
    macs.insert(first->veths[i].a.mac.format());
    macs.insert(first->veths[i].b.mac.format());
  }
  EXPECT_EQ(macs.size(), 10U);
}

TEST(Paths, LongNamesAreShortenedAndStayApart) {
  const std::string a(60, 'a');
  EXPECT_EQ(short_name("eth0", 15), "eth0");
  EXPECT_EQ(short_name(a, 15).size(), 15U);
  EXPECT_NE(short_name(a, 15), short_name(a + "b", 15));
  const LabPaths paths = paths_of(std::string(63, 'l'));
  // sun_path holds 108 bytes; heddled keeps sockets with 40-byte names two levels down.
  EXPECT_LT(paths.host_run(std::string(63, 'h')).size(), 60U);
}

TEST(Paths, AnotherLabDirSharesNothing) {
  const LabPaths here = paths_of("x");
  const LabPaths there = paths_of("x", "/tmp/t");
  EXPECT_EQ(there.run_dir(), "/tmp/t/run/x");
  EXPECT_EQ(there.state_dir(), "/tmp/t/state/x");
  EXPECT_NE(here.cgroup(), there.cgroup());
}

}  // namespace
}  // namespace heddle::plan
