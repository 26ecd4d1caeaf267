#include "topologies/engine/format/impair.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "topologies/engine/format/lab.h"

namespace heddle::format {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

Lab lab_of(const std::string& impair) {
  auto lab = parse_lab(
      "name: x\ntopology:\n  nodes: {a: , b: }\n  links:\n"
      "    - endpoints: [\"a:eth1\", \"b:eth1\"]\n      impair: " +
          impair + "\n",
      "f.yml", {});
  EXPECT_TRUE(lab) << lab.error().text();
  return lab ? *std::move(lab) : Lab{};
}
LinkImpairment link_of(const std::string& impair) {
  const Lab lab = lab_of(impair);
  return lab.links.size() == 1 && lab.links[0].impair ? *lab.links[0].impair : LinkImpairment{};
}
std::string impair_error(const std::string& impair) {
  const auto lab = parse_lab("name: x\nhosts:\n  h:\n    impair: " + impair + "\n", "f.yml", {});
  return lab ? "" : lab.error().text();
}

TEST(Impair, EveryKeyIsRead) {
  const LinkImpairment link = link_of(
      "{delay: 50ms, jitter: 5ms, distribution: normal, loss: {share: 1%, burst: 4}, "
      "duplicate: 0.1%, corrupt: 0.002, reorder: 25%, rate: 2.5gbit, limit: 5000}");
  EXPECT_EQ(link.forward, (Impairment{.delay = 50ms,
                                      .jitter = 5ms,
                                      .distribution = Distribution::normal,
                                      .loss = 0.01,
                                      .loss_burst = 4,
                                      .duplicate = 0.001,
                                      .corrupt = 0.002,
                                      .reorder = 0.25,
                                      .rate = 2'500'000'000,
                                      .limit = 5000}));
  EXPECT_EQ(link.backward, link.forward);
}

TEST(Impair, OneWayOverridesWhatBothHave) {
  const LinkImpairment link = link_of(
      "{delay: 10ms, loss: {share: 5%, burst: 3}, forward: {loss: 1%}, backward: {delay: 200us}}");
  EXPECT_EQ(link.forward, (Impairment{.delay = 10ms, .loss = 0.01}));
  EXPECT_EQ(link.backward, (Impairment{.delay = 200us, .loss = 0.05, .loss_burst = 3}));
}

TEST(Impair, AnEmptyMapMakesALinkThatCanBeImpairedLater) {
  const Lab lab = lab_of("{}");
  ASSERT_TRUE(lab.links.at(0).impair);
  EXPECT_EQ(*lab.links[0].impair, LinkImpairment{});
  const auto none = parse_lab(
      "name: x\ntopology: {nodes: {a: , b: }, links: [{endpoints: [\"a:e\", \"b:e\"]}]}", "f", {});
  EXPECT_FALSE(none->links.at(0).impair);
}

TEST(Impair, HostsNodesAndTheUnderlayHaveTheirs) {
  const auto lab = parse_lab(R"(
name: x
underlay: {impair: {delay: 1ms}}
hosts: {h: {impair: {loss: 2%}}, plain: }
topology:
  defaults: {impair: {rate: 1mbit}}
  nodes: {n: {underlay: true}, m: {underlay: true, impair: {rate: 2mbit}}, apart: }
)",
                             "f", {});
  ASSERT_TRUE(lab) << lab.error().text();
  EXPECT_EQ(lab->underlay->impair->backward.delay, 1ms);
  EXPECT_EQ(lab->hosts[0].impair->forward.loss, 0.02);
  EXPECT_FALSE(lab->hosts[1].impair);
  EXPECT_EQ(lab->nodes[0].impair->forward.rate, 1'000'000u);
  EXPECT_EQ(lab->nodes[1].impair->forward.rate, 2'000'000u);
}

struct BadImpairText {
  const char* impair;
  const char* error;
};
class BadImpair : public ::testing::TestWithParam<BadImpairText> {};
TEST_P(BadImpair, IsRefusedWithItsPlace) {
  EXPECT_THAT(impair_error(GetParam().impair), HasSubstr(GetParam().error));
}
INSTANTIATE_TEST_SUITE_P(
    Impairments, BadImpair,
    ::testing::Values(
        BadImpairText{"5ms", "f.yml:4:13: hosts.h.impair: must be a map"},
        BadImpairText{"{dealy: 5ms}",
                      "f.yml:4:14: hosts.h.impair.dealy: unknown key; did you mean \"delay\""},
        BadImpairText{"{delay: 5}",
                      "hosts.h.impair.delay: must be a time such as 50ms, 200us or 1.5s"},
        BadImpairText{"{delay: -5ms}", "must be a time"},
        BadImpairText{"{delay: 61s}", "must be at most 60s"},
        BadImpairText{"{delay: 1ms, jitter: 2ms}",
                      "f.yml:4:34: hosts.h.impair.jitter: is 2ms, more than the delay of 1ms"},
        BadImpairText{"{jitter: 2ms}", "more than the delay of 0us"},
        BadImpairText{"{delay: 1ms, distribution: normal}", "there is none"},
        BadImpairText{"{delay: 1ms, jitter: 1ms, distribution: gauss}",
                      "must be uniform, normal or pareto"},
        BadImpairText{"{loss: 1}",
                      "hosts.h.impair.loss: must be a share such as 1% or 0.01, not \"1\""},
        BadImpairText{"{loss: 101%}", "a share from 0% to 100%"},
        BadImpairText{"{loss: 1.5}", "a share from 0%"},
        BadImpairText{"{loss: -1%}", "must be a share"},
        BadImpairText{"{loss: nan}", "must be a share"},
        BadImpairText{"{loss: {burst: 3}}", "needs `share`"},
        BadImpairText{"{loss: {share: 1%, burst: 0}}",
                      "impair.loss.burst: must be the mean number"},
        BadImpairText{"{loss: {share: 0%, burst: 3}}", "`burst` needs a `share` above 0"},
        BadImpairText{"{loss: {share: 80%, burst: 3}}", "at most 75% can be lost in such bursts"},
        BadImpairText{"{loss: [1%]}", "must be text, not a list"},
        BadImpairText{"{duplicate: 2.0}", "a share from"},
        BadImpairText{"{corrupt: 5kg}", "must be a share"},
        BadImpairText{"{reorder: 5%}", "impair.reorder: needs `delay`"},
        BadImpairText{"{rate: 0}", "impair.rate: must be bits a second from 1kbit to 10tbit"},
        BadImpairText{"{rate: 10mb}", "must be bits a second"},
        BadImpairText{"{rate: 1mbit, limit: 0}", "a number of packets from 1 to 1000000"},
        BadImpairText{"{limit: 5}", "without `delay` and `rate` none does"},
        BadImpairText{"{forward: {forward: {}}}", "hosts.h.impair.forward.forward: unknown key"},
        BadImpairText{"{delay: 5ms, backward: {jitter: 6ms}}",
                      "hosts.h.impair.backward.jitter: is 6ms, more than the delay of 5ms"}));

TEST(Impair, WhatIsWrongBothWaysIsSaidOnce) {
  const std::string error = impair_error("{jitter: 2ms}");
  EXPECT_EQ(error.find("jitter"), error.rfind("jitter")) << error;
}

TEST(Impair, ANodeWithoutTheUnderlayHasNoLinkOfItsOwn) {
  const auto lab = parse_lab("name: x\ntopology: {nodes: {a: {impair: {loss: 1%}}}}", "f.yml", {});
  ASSERT_FALSE(lab);
  EXPECT_THAT(lab.error().text(), HasSubstr("topology.nodes.a.impair: is of a node's link"));
}

TEST(Impair, IsDescribedAsItIsWritten) {
  EXPECT_EQ(describe({}), "");
  EXPECT_EQ(describe(link_of("{delay: 50ms, jitter: 250us, distribution: pareto, "
                             "loss: {share: 0.5%, burst: 5}, duplicate: 1%, corrupt: 0.001%, "
                             "reorder: 2%, rate: 1500kbit, limit: 40}")
                         .forward),
            "delay 50ms jitter 250us distribution pareto loss 0.5% burst 5 duplicate 1% "
            "corrupt 0.001% reorder 2% rate 1.5mbit limit 40");
}

}  // namespace
}  // namespace heddle::format
