#include "netd/flows/flow_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/views.h"

namespace heddle::flows {
namespace {

using bpf::FlowEvent;
using bpf::FlowVerdict;
using ::testing::HasSubstr;
using tests::ip;
using tests::ViewBuilder;

class FlowWordsTest : public ::testing::Test {
 protected:
  FlowWordsTest() {
    build.swarm("h1").node("h1", "192.0.2.1").node("h2", "192.0.2.2");
    build.network("app", "overlay", "10.40.0.0/20", 77);
    build.workload("c1");
    build.endpoint("c1", "app", "10.40.0.5");
    build.remote("h2", "c2", "app", "10.40.0.3");
    build.service("web", "app", "10.40.15.1");
  }
  Flow described(const FlowEvent& event) {
    return FlowWords(build.view(), callers, std::chrono::seconds(1000)).describe(event);
  }
  FlowEvent packet(FlowVerdict verdict) {
    return {.at = std::chrono::nanoseconds(5'000'000'123),
            .verdict = verdict,
            .vni = Vni{77},
            .bytes = 98,
            .ethertype = 0x0800,
            .protocol = 6,
            .from = {ip("10.40.0.5"), 40000},
            .to = {ip("10.40.0.3"), 8080},
            .node = ip("192.0.2.2")};
  }
  FlowEvent call(FlowVerdict verdict) {
    return {.verdict = verdict,
            .netns = 9,
            .protocol = 17,
            .to = {ip("10.40.15.1"), 53},
            .actual = {ip("10.40.0.3"), 5353}};
  }

  ViewBuilder build;
  const FlowWords::Callers callers{{9, "c1"}};
};

TEST_F(FlowWordsTest, NameBothEndsOfAPacket) {
  const Flow flow = described(packet(FlowVerdict::forwarded));
  EXPECT_EQ(flow.at.time_since_epoch().count(), 1'005'000'000);
  EXPECT_EQ(flow.verdict, "forwarded");
  EXPECT_EQ(flow.network, "app");
  EXPECT_EQ(flow.protocol, "tcp");
  EXPECT_EQ(flow.from, "10.40.0.5:40000");
  EXPECT_EQ(flow.to, "10.40.0.3:8080");
  EXPECT_EQ(flow.to_workload, build.view().endpoints.at("c2-app").workload_name);
  EXPECT_EQ(flow.node, "h2");
  EXPECT_EQ(flow.bytes, 98u);
}

TEST_F(FlowWordsTest, LeaveOutWhatIsUnknown) {
  FlowEvent event = packet(FlowVerdict::dropped);
  event.reason = "no_endpoint";
  event.vni = Vni{5};
  event.protocol = 1;
  event.from.port = event.to.port = 0;
  event.node = ip("198.51.100.9");
  const Flow flow = described(event);
  EXPECT_EQ(flow.reason, "no_endpoint");
  EXPECT_EQ(flow.network, "VNI 5");
  EXPECT_EQ(flow.protocol, "icmp");
  EXPECT_EQ(flow.from, "10.40.0.5");
  EXPECT_EQ(flow.from_workload, "");
  EXPECT_EQ(flow.node, "198.51.100.9");
  event.ethertype = 0x86dd;
  EXPECT_EQ(described(event).protocol, "0x86dd");
  event.ethertype = 0x0806;
  EXPECT_EQ(described(event).protocol, "arp");
}

TEST_F(FlowWordsTest, OfCallsNameCallerServiceAndBackend) {
  const Flow flow = described(call(FlowVerdict::balanced));
  EXPECT_EQ(flow.from_workload, "c1");
  EXPECT_EQ(flow.service, "web");
  EXPECT_EQ(flow.network, "app");
  EXPECT_EQ(flow.protocol, "udp");
  EXPECT_EQ(flow.to, "10.40.15.1:53");
  EXPECT_EQ(flow.backend, "10.40.0.3:5353");
  EXPECT_EQ(flow.to_workload, build.view().endpoints.at("c2-app").workload_name);
  const Flow refused = described(call(FlowVerdict::refused));
  EXPECT_EQ(refused.backend, "");
  EXPECT_EQ(refused.service, "web");
}

TEST_F(FlowWordsTest, FiltersLetThroughWhatTheyName) {
  const Flow packet_flow = described(packet(FlowVerdict::forwarded));
  const Flow call_flow = described(call(FlowVerdict::balanced));
  EXPECT_TRUE(matches({}, packet_flow));
  EXPECT_TRUE(matches({.workload = "c1"}, call_flow));
  EXPECT_TRUE(matches({.workload = packet_flow.to_workload}, packet_flow));
  EXPECT_FALSE(matches({.workload = "nobody"}, packet_flow));
  EXPECT_TRUE(matches({.service = "web"}, call_flow));
  EXPECT_FALSE(matches({.service = "web"}, packet_flow));
  EXPECT_FALSE(matches({.verdict = "dropped"}, packet_flow));
  EXPECT_FALSE(matches({.reason = "no_endpoint"}, packet_flow));
}

TEST_F(FlowWordsTest, FiltersThatCannotMatchAreRefused) {
  EXPECT_TRUE(check({}));
  EXPECT_TRUE(check({.verdict = "refused", .reason = "no_backend"}));
  const auto verdict = check({.verdict = "lost"});
  ASSERT_FALSE(verdict);
  EXPECT_THAT(verdict.error().text(), HasSubstr("delivered"));
  EXPECT_FALSE(check({.reason = "bad_luck"}));
  EXPECT_FALSE(check({.one_of = 0}));
}

}  // namespace
}  // namespace heddle::flows
