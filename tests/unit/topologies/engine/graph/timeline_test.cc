#include "topologies/engine/graph/timeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heddle::graph {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Graph two() {
  return graph_of(*format::parse_lab(R"(
name: two
hosts: {h1: {}, h2: {}}
topology: {nodes: {n: {}}, links: [{endpoints: ["h1:eth1", "n:eth1"]}]}
)",
                                     "f.yml", {}));
}

std::vector<Event> events_of(const std::string& json) {
  auto events = read_report(json, two());
  EXPECT_TRUE(events) << events.error().text();
  return events ? *std::move(events) : std::vector<Event>{};
}

TEST(ReadReport, EventsComeInOrderWithTheirSubjects) {
  const auto events = events_of(R"({"lab": "two", "events": [
    {"at_ms": 20, "kind": "check", "subject": "h1, n:eth1", "text": "late", "ok": false},
    {"at_ms": 10.5, "kind": "kill", "subject": "h2"}]})");
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].effect, Effect::down);
  EXPECT_EQ(events[0].at_ms, 10);
  EXPECT_THAT(events[0].nodes, ElementsAre(1));
  EXPECT_EQ(events[1].effect, Effect::failed);
  EXPECT_THAT(events[1].nodes, ElementsAre(0));
  EXPECT_THAT(events[1].links, ElementsAre(2));  // by either end
}

TEST(ReadReport, KindsThatAreNotKnownAreNotes) {
  const auto events = events_of(R"({"events": [
    {"at_ms": 1, "kind": "eclipse", "subject": "nobody"},
    {"at_ms": 2, "kind": "eclipse", "ok": true},
    {"at_ms": 3, "kind": "eclipse", "effect": "impaired"}]})");
  EXPECT_EQ(events[0].effect, Effect::note);
  EXPECT_THAT(events[0].nodes, IsEmpty());
  EXPECT_EQ(events[1].effect, Effect::held);
  EXPECT_EQ(events[2].effect, Effect::impaired);
}

TEST(ReadReport, WhatIsNoEventIsPassedOver) {
  EXPECT_EQ(events_of(R"({"events": [1, null, [], {}, {"at_ms": -1}, {"at_ms": 1e300},
    {"at_ms": "5"}, {"at_ms": 5, "kind": 7, "subject": [], "ok": "no"}], "more": {}})")
                .size(),
            1U);
}

TEST(ReadReport, StepsServeWhereThereAreNoEvents) {
  const auto events = events_of(R"({"lab": "two", "steps": [
    {"number": 1, "name": "up", "on": "h1", "command": "true", "passed": true, "time_ms": 100},
    {"number": 2, "name": "", "on": "h1, h2", "fault": "kill", "command": "cut the power",
     "passed": true, "time_ms": 50},
    {"number": 3, "name": "", "on": "h2", "fault": "start", "command": "", "passed": true,
     "time_ms": 5},
    {"number": 4, "name": "x", "on": "h2", "command": "false", "passed": false, "time_ms": 7}]})");
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[0].effect, Effect::held);
  EXPECT_EQ(events[1].effect, Effect::down);
  EXPECT_EQ(events[1].at_ms, 150);
  EXPECT_THAT(events[1].nodes, ElementsAre(0, 1));
  EXPECT_EQ(events[2].effect, Effect::up);
  EXPECT_THAT(events[2].nodes, ElementsAre(1));
  EXPECT_EQ(events[3].effect, Effect::failed);
  EXPECT_EQ(events[3].at_ms, 162);
}

// As a run with faults and checks prints it.
TEST(ReadReport, FaultsAndChecksStandBetweenTheSteps) {
  const auto events = events_of(R"json({"lab": "two", "steps": [
    {"name": "a", "on": "h1", "command": "true", "passed": true, "at_ms": 10, "time_ms": 5},
    {"name": "b", "on": "h1", "command": "true", "passed": true, "at_ms": 900, "time_ms": 5}],
    "timeline": {"began_ms": 100, "lasted_ms": 700, "entries": [
      {"at_ms": 0, "what": "began", "text": "the timeline"},
      {"at_ms": 10, "what": "fault", "text": "power: kill h2", "on": ["h2"],
       "fault": "kill"},
      {"at_ms": 20, "what": "broke", "text": "web (h1): no answer", "on": ["h1"]},
      {"at_ms": 30, "what": "undo", "text": "h1 need not know", "on": ["h2"],
       "fault": "kill"},
      {"at_ms": 40, "what": "recovered", "text": "web", "on": ["h1"]},
      {"at_ms": 50, "what": "fault", "text": "", "on": ["h1:eth1"], "fault": "impair"},
      {"at_ms": 60, "what": "undo", "text": "", "on": ["h1:eth1"], "fault": "impair"},
      {"at_ms": 70, "what": "fault", "text": "parted", "on": ["h1", "h2", "n"],
       "fault": "partition"},
      {"at_ms": 80, "what": "undo", "text": "h1", "on": ["h1", "h2", "n"],
       "fault": "partition"},
      {"at_ms": "x"}, 7]
}
})json");
  ASSERT_EQ(events.size(), 11U);
  EXPECT_EQ(events[0].at_ms, 15);
  EXPECT_EQ(events[1].effect, Effect::note);
  EXPECT_EQ(events[2].at_ms, 110);
  EXPECT_EQ(events[2].effect, Effect::down);
  EXPECT_THAT(events[2].nodes, ElementsAre(1));
  EXPECT_EQ(events[3].effect, Effect::failed);
  EXPECT_THAT(events[3].nodes, ElementsAre(0));
  EXPECT_EQ(events[4].effect, Effect::restored);
  EXPECT_THAT(events[4].nodes, ElementsAre(1));
  EXPECT_EQ(events[5].effect, Effect::held);
  EXPECT_EQ(events[6].effect, Effect::impaired);
  EXPECT_THAT(events[6].links, ElementsAre(2));
  EXPECT_THAT(events[6].nodes, IsEmpty());
  EXPECT_THAT(events[7].links, ElementsAre(2));
  EXPECT_EQ(events[8].effect, Effect::cut);
  EXPECT_THAT(events[9].nodes, ElementsAre(0, 1, 2)) << "whatever the sentence names";
  EXPECT_EQ(events[10].at_ms, 905);
}

TEST(ReadReport, WhatIsNoReportIsRefused) {
  const auto refusal = [](const char* json) {
    const auto events = read_report(json, two());
    EXPECT_FALSE(events) << json;
    return events ? "" : events.error().text();
  };
  EXPECT_THAT(refusal(""), HasSubstr("not JSON"));
  EXPECT_THAT(refusal("[]"), HasSubstr("heddle lab run --format json"));
  EXPECT_THAT(refusal("{}"), HasSubstr("neither \"events\" nor \"steps\""));
  EXPECT_THAT(refusal("{\"steps\": 1}"), HasSubstr("neither"));
  EXPECT_THAT(refusal("{\"lab\": \"one\", \"steps\": []}"), HasSubstr("of lab one"));
}

}  // namespace
}  // namespace heddle::graph
