#include "topologies/engine/format/save.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heddle::format {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

std::string saved(const char* text, const Environment& environment = {},
                  const std::vector<LiveLink>& links = {}) {
  const auto out = save_lab(text, "f.yml", environment, links);
  EXPECT_TRUE(out) << out.error().text();
  return out ? *out : "";
}
Lab again(const std::string& text) {
  const auto lab = parse_lab(text, "again.yml", {});
  EXPECT_TRUE(lab) << lab.error().text() << "\n" << text;
  return lab ? *lab : Lab{};
}

constexpr const char* kLab = R"(
name: ${NAME}   # a comment
hosts:
  h1: &host {env: {A: "${VALUE:=x y}", B: "$${kept}", C: "${x##*/}"}, files: {f: "${host.name}"}}
  h2: *host
topology:
  nodes: {n: {underlay: true}, m: }
  links:
    - endpoints: ["n:eth1", "m:eth1"]
    - endpoints: [{node: n, interface: eth2}, {node: m, interface: eth2}]
      impair: {delay: 5ms}
steps:
  - {on: h1, run: "echo ${h2.address}"}
)";

TEST(SaveLab, NeedsNoEnvironmentToBeReadAgain) {
  const std::string text = saved(kLab, {{"NAME", "mine"}});
  const Lab lab = again(text);
  EXPECT_EQ(lab.name, "mine");
  EXPECT_EQ(lab.hosts.at(1).env.at("A"), "x y");
  EXPECT_EQ(lab.hosts.at(1).env.at("B"), "${kept}");
  EXPECT_EQ(lab.hosts.at(1).env.at("C"), "${x##*/}");
  EXPECT_EQ(lab.hosts.at(1).files.at("f"), "${host.name}");  // of the deploy, not of the file
  EXPECT_EQ(std::get<RunAction>(lab.steps.at(0).action).shown, "echo ${h2.address}");
  EXPECT_THAT(text, Not(HasSubstr("comment")));
  EXPECT_EQ(saved(text.c_str()), text);  // nothing is left to replace
}

TEST(SaveLab, HasTheImpairmentsOfNow) {
  LinkImpairment both{.forward = {.delay = 20ms, .loss = 0.01, .loss_burst = 3}, .backward = {}};
  both.backward = both.forward;
  const LinkImpairment one_way{.forward = {}, .backward = {.rate = 1'000'000}};
  const std::string text = saved(kLab, {{"NAME", "mine"}},
                                 {{.a = "n:eth1", .b = "m:eth1", .impairment = both},
                                  {.a = "n:eth2", .b = "m:eth2", .impairment = {}},
                                  {.a = "h1:eth0", .b = "underlay:h1", .impairment = one_way},
                                  {.a = "n:eth0", .b = "underlay:n", .impairment = both},
                                  {.a = "gone:eth0", .b = "underlay:gone", .impairment = both}});
  const Lab lab = again(text);
  EXPECT_EQ(lab.links.at(0).impair, both);
  EXPECT_EQ(lab.links.at(1).impair, LinkImpairment{});
  EXPECT_EQ(lab.find_host("h1")->impair, one_way);
  EXPECT_EQ(lab.find_host("h2")->impair, std::nullopt);
  EXPECT_EQ(lab.find_node("n")->impair, both);
}

TEST(SaveLab, WhatIsAsTheFileSaysStaysAsItIs) {
  const std::string plain = saved(kLab, {{"NAME", "mine"}});
  LinkImpairment delay{.forward = {.delay = 5ms}, .backward = {.delay = 5ms}};
  EXPECT_EQ(saved(kLab, {{"NAME", "mine"}},
                  {{.a = "n:eth2", .b = "m:eth2", .impairment = delay},
                   {.a = "n:eth1", .b = "m:eth1", .impairment = {}},
                   {.a = "h1:eth0", .b = "underlay:h1", .impairment = {}}}),
            plain);
}

TEST(SaveLab, OfTheUnderlayBelongsToTheMember) {
  const char* text =
      "name: u\nunderlay: {impair: {delay: 1ms}}\nhosts: {h1: {}, h2: {impair: {delay: 2ms}}}\n";
  const LinkImpairment none;
  const LinkImpairment two{.forward = {.delay = 2ms}, .backward = {.delay = 2ms}};
  const Lab lab = again(saved(text, {},
                              {{.a = "h1:eth0", .b = "underlay:h1", .impairment = none},
                               {.a = "h2:eth0", .b = "underlay:h2", .impairment = two}}));
  EXPECT_EQ(lab.find_host("h1")->impair, none);  // not the underlay's any more
  EXPECT_EQ(lab.find_host("h2")->impair, two);
  EXPECT_EQ(lab.underlay->impair->forward.delay, 1ms);
}

TEST(SaveLab, AFileThatIsNoneIsRefused) {
  EXPECT_FALSE(save_lab("name: [", "f.yml", {}, {}));
  EXPECT_THAT(save_lab("name: ${X}", "f.yml", {}, {}).error().text(), HasSubstr("${X}"));
}

}  // namespace
}  // namespace heddle::format
