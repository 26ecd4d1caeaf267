#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "topologies/engine/format/lab.h"
#include "topologies/engine/format/targets.h"

namespace heddle::format {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;
using Shape = fault::Partition::Shape;

constexpr const char* kHead =
    "name: x\nhosts: {h1: , h2: , h3: {daemon: false}}\n"
    "topology: {nodes: {n1: {cmd: sleep 9}, br: {kind: bridge}},"
    " links: [{endpoints: [\"n1:eth1\", \"br:1\"]}]}\n"
    "steps: [{on: h1, run: sleep 9, background: web}]\n";

Lab parse_good(const std::string& faults) {
  auto lab = parse_lab(kHead + ("faults:\n" + faults), "f.yml", {});
  EXPECT_TRUE(lab) << lab.error().text();
  return lab ? *std::move(lab) : Lab{};
}
std::string error_of(const std::string& faults) {
  const auto lab = parse_lab(kHead + ("faults:\n" + faults), "f.yml", {});
  return lab ? "" : lab.error().text();
}

TEST(Faults, WhatWhomAndWhen) {
  const Lab lab = parse_good(R"(
- {name: out, at: 1s, kill: h3, for: 3s}
- {every: 2s, until: 10s, partition: halves, for: 1s}
- {between: [2s, 5s], cut: "n1:eth1", for: 500ms}
- {at: 2s, impair: {link: h1, loss: 10%}}
- {at: 2s, restart: {one: [h1, h2]}}
- {at: 3s, clock: {on: h1, by: -5s}}
- {at: 3s, disk-full: minority}
- {at: 4s, stop: web}
- {at: 4s, partition: {one-way: [[h1], [h2, h3]]}}
)");
  ASSERT_EQ(lab.faults.size(), 9U);
  EXPECT_EQ(lab.faults[0].name, "out");
  EXPECT_EQ(name_of(lab.faults[0].action), "kill");
  EXPECT_THAT(lab.faults[0].on.names, ElementsAre("h3"));
  EXPECT_EQ(lab.faults[0].lasts, 3s);
  EXPECT_EQ(lab.faults[1].at, 2s);  // without `at`, first after one period
  EXPECT_THAT(fixed_times(lab.faults[1]), ElementsAre(2s, 4s, 6s, 8s, 10s));
  EXPECT_EQ(lab.faults[2].latest, 5s);
  EXPECT_TRUE(fixed_times(lab.faults[2]).empty());
  EXPECT_DOUBLE_EQ(std::get<fault::Impair>(lab.faults[3].action).impairment.forward.loss, 0.1);
  EXPECT_EQ(lab.faults[4].on, (Target{Target::How::one, {"h1", "h2"}}));
  EXPECT_EQ(std::get<fault::ClockStep>(lab.faults[5].action).by, -5s);
  EXPECT_EQ(lab.faults[6].on.how, Target::How::minority);
  EXPECT_EQ(std::get<fault::Partition>(lab.faults[8].action).shape, Shape::one_way);
  EXPECT_THAT(std::get<fault::Partition>(lab.faults[8].action).sides,
              ElementsAre(ElementsAre("h1"), ElementsAre("h2", "h3")));
}

TEST(Faults, EveryErrorNamesLineKeyAndTheNearestName) {
  EXPECT_THAT(error_of("- {at: 1s, kill: h22}\n"),
              HasSubstr("f.yml:6:3: faults[0].kill: no host, node or background process \"h22\"; "
                        "did you mean \"h2\"?"));
  EXPECT_THAT(error_of("- {at: 1s, kil: h1}\n"), HasSubstr("did you mean \"kill\"?"));
  EXPECT_THAT(error_of("- {at: 1s, cut: \"n1:eth2\"}\n"),
              HasSubstr("no link \"n1:eth2\"; did you mean \"n1:eth1\"?"));
  EXPECT_THAT(error_of("- {at: 1s, kill-daemon: h3}\n"), HasSubstr("no host with heddled \"h3\""));
  EXPECT_THAT(error_of("- {at: 1s, partition: halfs}\n"), HasSubstr("did you mean \"halves\"?"));
  EXPECT_THAT(error_of("- {at: 1s, partition: [[h1], [h1, h2]]}\n"), HasSubstr("named twice"));
  EXPECT_THAT(error_of("- {at: 1s, stop: wev}\n"), HasSubstr("did you mean \"web\"?"));
  EXPECT_THAT(error_of("- {at: 1s, clock: {on: h1, by: 5}}\n"), HasSubstr("faults[0].clock.by"));
}

TEST(Faults, WhenMustBeSaidAndMustMakeSense) {
  EXPECT_THAT(error_of("- {kill: h1}\n"), HasSubstr("says not when"));
  EXPECT_THAT(error_of("- {every: 1s, kill: h1}\n"), HasSubstr("needs an end"));
  EXPECT_THAT(error_of("- {at: 1s, until: 2s, kill: h1}\n"), HasSubstr("add every"));
  EXPECT_THAT(error_of("- {between: [5s, 2s], kill: h1}\n"), HasSubstr("the earlier first"));
  EXPECT_THAT(error_of("- {between: [1s, 2s], at: 1s, kill: h1}\n"), HasSubstr("does not go with"));
  EXPECT_THAT(error_of("- {at: 1s, restart: h1, for: 2s}\n"), HasSubstr("nothing to undo"));
  EXPECT_THAT(error_of("- {every: 1s, until: 9s, kill: h1, for: 2s}\n"),
              HasSubstr("strike again before it is undone"));
  EXPECT_THAT(error_of("- {at: 2h, kill: h1}\n"), HasSubstr("at most 1h"));
  EXPECT_THAT(error_of("- {every: 10ms, until: 1h, kill: h1, for: 5ms}\n"),
              HasSubstr("more than 1000 times"));
  EXPECT_THAT(error_of("- {at: 1s}\n"), HasSubstr("says nothing to do"));
  EXPECT_THAT(error_of("- {at: 1s, kill: h1, cut: h1}\n"), HasSubstr("does two things"));
}

TEST(Faults, ContradictionsAreRefused) {
  EXPECT_THAT(error_of("- {at: 1s, kill: h1}\n- {at: 3s, pause: h1, for: 1s}\n"),
              HasSubstr("faults[1]: pause of h1 at 3s contradicts faults[0]: kill from 1s on"));
  EXPECT_THAT(error_of("- {at: 1s, kill: h1, for: 4s}\n- {at: 3s, restart: all}\n"),
              HasSubstr("contradicts faults[0]: kill from 1s to 5s"));
  EXPECT_THAT(error_of("- {at: 1s, cut: h1, for: 4s}\n- {at: 3s, cut: \"h1:eth0\", for: 1s}\n"),
              HasSubstr("cut of link h1:eth0"));
  // At the moment of its end, and what the seed chooses, is none.
  parse_good("- {at: 1s, kill: h1, for: 2s}\n- {at: 3s, kill: h1, for: 1s}\n");
  parse_good("- {at: 1s, kill: one, for: 4s}\n- {at: 3s, kill: one, for: 1s}\n");
  parse_good(
      "- {at: 1s, impair: {link: h1, loss: 1%}, for: 4s}\n"
      "- {at: 2s, impair: {link: h1, loss: 2%}, for: 1s}\n");
}

TEST(Faults, WhoCanBeHit) {
  const Lab lab = parse_good("- {at: 1s, disk-full: h2}\n");
  EXPECT_THAT(chosen_from(lab, fault::Kill{}), ElementsAre("h1", "h2", "h3"));
  EXPECT_THAT(can_be_hit(lab, fault::Kill{}), ElementsAre("h1", "h2", "h3", "n1", "cmd.n1", "web"));
  EXPECT_THAT(chosen_from(lab, fault::RestartDaemon{}), ElementsAre("h1", "h2"));
  EXPECT_THAT(link_names(lab), ElementsAre("h1:eth0", "h2:eth0", "h3:eth0", "n1:eth1"));
  EXPECT_EQ(link_name(lab, "h1"), "h1:eth0");
  EXPECT_EQ(link_name(lab, "br:1"), "n1:eth1");
  EXPECT_EQ(link_name(lab, "br"), "");
  EXPECT_TRUE(may_fill_disk(lab, "h2"));
  EXPECT_FALSE(may_fill_disk(lab, "h1"));
}

TEST(Faults, StepsAreFaultsToo) {
  const auto lab = parse_lab(
      "name: x\nhosts: {h1: , h2: }\nsteps:\n- freeze: h1\n- thaw: h1\n- impair: {link: h1, "
      "delay: 5ms}\n- heal: true\n- faults: start\n- pause: 1s\n- faults: await\n"
      "checks: [{on: h1, ping: h2}]\n",
      "f.yml", {});
  ASSERT_TRUE(lab) << lab.error().text();
  EXPECT_EQ(name_of(std::get<FaultStep>(lab->steps[0].action).action), "pause");
  EXPECT_EQ(std::get<MendAction>(lab->steps[1].action).what, MendAction::What::freeze);
  EXPECT_EQ(std::get<MendAction>(lab->steps[3].action).what, MendAction::What::partition);
  EXPECT_EQ(std::get<TimelineAction>(lab->steps[4].action).what, TimelineAction::What::start);
  const auto error = [](const std::string& steps, const std::string& rest) {
    const auto bad = parse_lab("name: x\nhosts: {h1: }\nsteps:\n" + steps + rest, "f.yml", {});
    return bad ? "" : bad.error().text();
  };
  const std::string checks = "checks: [{on: h1, ping: h1}]\n";
  EXPECT_THAT(error("- faults: run\n", ""), HasSubstr("neither faults nor checks"));
  EXPECT_THAT(error("- faults: await\n", checks), HasSubstr("nothing to wait for"));
  EXPECT_THAT(error("- faults: run\n- faults: run\n", checks), HasSubstr("it runs once"));
  EXPECT_THAT(error("- faults: strat\n", checks), HasSubstr("did you mean \"start\"?"));
  EXPECT_THAT(error("- mend: h2\n", ""), HasSubstr("no link \"h2\""));
}

}  // namespace
}  // namespace heddle::format
