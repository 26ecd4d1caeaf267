#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "topologies/engine/plan/plan.h"

namespace heddle::plan {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

Plan wired_plan(const std::string& text) {
  auto lab = format::parse_lab(text, "f.yml", {});
  EXPECT_TRUE(lab) << lab.error().text();
  auto plan = plan_lab(*lab, LabPaths(roots_for("", "/cg"), lab->name));
  EXPECT_TRUE(plan) << plan.error().text();
  return *std::move(plan);
}

const Wire* wire_of(const Plan& plan, std::string_view name) {
  const auto found = find_link(plan, name);
  return found ? found->wire : nullptr;
}

constexpr const char* kWired = R"(
name: wired
underlay: {impair: {delay: 1ms}}
hosts: {h1: {daemon: false}, h2: {daemon: false, impair: {forward: {loss: 1%}}}}
topology:
  nodes: {a: , b: , br: {kind: bridge}}
  links:
    - {endpoints: ["a:eth1", "b:eth1"], impair: {rate: 1mbit}, mtu: 1400}
    - {endpoints: ["a:eth2", "b:eth2"]}
    - {endpoints: ["a:eth3", "br:p1"], impair: {}}
)";

TEST(Wires, AnImpairedLinkIsTwoVethsThatMeetInTheSwitch) {
  const Plan plan = wired_plan(kWired);
  const Wire* wire = wire_of(plan, "b:eth1");
  ASSERT_TRUE(wire);
  EXPECT_EQ(wire->near, "w-a-eth1");
  EXPECT_EQ(wire->far, "w-b-eth1");
  EXPECT_EQ(wire->mtu, 1400U);
  EXPECT_EQ(wire->impair.backward.rate, 1'000'000U);
  int halves = 0;
  for (const Veth& veth : plan.veths) {
    if (veth.b.interface != wire->near && veth.b.interface != wire->far) continue;
    ++halves;
    EXPECT_TRUE(veth.b.quiet);
    EXPECT_EQ(veth.b.netns, plan.paths.switch_netns());
    EXPECT_EQ(veth.mtu, 1400U);
    EXPECT_EQ(veth.a.label, veth.b.interface == wire->near ? "a:eth1" : "b:eth1");
  }
  EXPECT_EQ(halves, 2);
  EXPECT_EQ(find_link(plan, "a:eth2")->wire, nullptr);
}

TEST(Wires, LinksToTheUnderlayHaveItsImpairmentOrTheirOwn) {
  const Plan plan = wired_plan(kWired);
  EXPECT_EQ(wire_of(plan, "h1")->impair.backward.delay, 1ms);
  EXPECT_EQ(wire_of(plan, "h2")->impair.backward.delay, 0ms);
  EXPECT_EQ(wire_of(plan, "h2:eth0")->impair.forward.loss, 0.01);
  EXPECT_EQ(find_link(plan, "h1")->name(), "h1:eth0 - underlay:h1");
}

TEST(Wires, ABridgesPortStaysAPortOfIt) {
  const Plan plan = wired_plan(kWired);
  const Wire* wire = wire_of(plan, "br:p1");
  ASSERT_TRUE(wire);
  EXPECT_EQ(wire->b.master, "br-br");
  EXPECT_EQ(wire->b.netns, plan.paths.switch_netns());
}

TEST(Wires, DevicesHaveNamesOfTheirOwn) {
  std::string text = "name: many\ntopology:\n  nodes: {a: , b: }\n  links:\n";
  for (int i = 0; i < 200; ++i)
    text += "    - {endpoints: [\"a:a-long-interface-" + std::to_string(i) + "\", \"b:eth" +
            std::to_string(i) + "\"], impair: {}}\n";
  std::set<std::string> names;
  for (const Wire& wire : wired_plan(text).wires) {
    for (const std::string& name : {wire.near, wire.far}) {
      EXPECT_LE(name.size(), kMaxIfName);
      EXPECT_TRUE(names.insert(name).second) << name;
    }
  }
  EXPECT_EQ(names.size(), 400U);
}

TEST(Wires, KeysFollowFromSeedLinkAndDirection) {
  const Plan plan = wired_plan(kWired);
  std::set<std::uint64_t> keys;
  for (const Wire& wire : plan.wires) {
    keys.insert(wire.forward_key);
    keys.insert(wire.backward_key);
  }
  EXPECT_EQ(keys.size(), plan.wires.size() * 2);
  EXPECT_EQ(wire_of(plan, "h1")->forward_key, wire_of(wired_plan(kWired), "h1")->forward_key);
  auto lab = format::parse_lab(kWired, "f.yml", {});
  const std::uint64_t by_name = seed_of(*lab);
  lab->seed = 5;
  EXPECT_EQ(seed_of(*lab), 5U);
  EXPECT_NE(by_name, 5U);
  const auto other = plan_lab(*lab, LabPaths(roots_for("", "/cg"), lab->name));
  EXPECT_NE(wire_of(*other, "h1")->forward_key, wire_of(plan, "h1")->forward_key);
}

TEST(Wires, WhatAFaultCutsOrImpairsIsAWire) {
  auto lab = format::parse_lab(
      "name: x\nhosts: {h1: {daemon: false}, h2: {daemon: false}}\n"
      "topology: {nodes: {a: , b: }, links: [{endpoints: [\"a:eth1\", \"b:eth1\"]}]}\n",
      "f.yml", {});
  ASSERT_TRUE(lab) << lab.error().text();
  const LabPaths paths(roots_for("", "/cg"), "x");
  EXPECT_TRUE(plan_lab(*lab, paths)->wires.empty());
  lab->faults.push_back({.action = format::fault::Cut{}, .on = {.names = {"b:eth1"}}});
  lab->faults.push_back({.action = format::fault::Kill{}, .on = {.names = {"h1"}}});
  EXPECT_EQ(plan_lab(*lab, paths)->wires.size(), 1U);
  lab->faults.push_back({.action = format::fault::Impair{}, .on = {.names = {"h2"}}});
  EXPECT_EQ(plan_lab(*lab, paths)->wires.size(), 2U);
  lab->faults.push_back(
      {.action = format::fault::Cut{}, .on = {.how = format::Target::How::one, .names = {}}});
  EXPECT_EQ(plan_lab(*lab, paths)->wires.size(), 3U) << "any of them may be chosen";
}

TEST(Wires, AnUnknownLinkNamesTheNearest) {
  const Plan plan = wired_plan(kWired);
  const auto typo = find_link(plan, "a:eth11");
  ASSERT_FALSE(typo);
  EXPECT_EQ(typo.error().code(), Errc::not_found);
  EXPECT_THAT(typo.error().text(), HasSubstr("lab wired has no link \"a:eth11\"; did you mean"));
  EXPECT_THAT(find_link(plan, "somewhere-else").error().text(),
              HasSubstr("links are named by either end"));
}

}  // namespace
}  // namespace heddle::plan
