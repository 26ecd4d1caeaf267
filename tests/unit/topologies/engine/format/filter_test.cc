#include "topologies/engine/format/filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heddle::format {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kSix = R"(
name: six
hosts: {h1: {}, h2: {}, h3: {}}
topology:
  nodes: {a: {underlay: true}, b: {}, sw: {kind: bridge}}
  links:
    - endpoints: ["a:eth1", "sw:p1"]
    - endpoints: ["b:eth1", "sw:p2"]
    - endpoints: ["a:eth2", "b:eth2"]
    - endpoints: ["a:eth3", "host:lab-a"]
steps:
  - {name: both, on: [h1, h2], run: "true"}
  - {on: h3, run: sleep 9, background: far}
  - {on: h1, run: sleep 9, background: near}
  - kill: h3
  - stop: near
  - stop: far
)";

Lab six(const char* text) {
  auto lab = parse_lab(text, "f.yml", {});
  EXPECT_TRUE(lab) << lab.error().text();
  return *std::move(lab);
}

template <class T>
std::vector<std::string> names_of(const std::vector<T>& list) {
  std::vector<std::string> names;
  for (const T& item : list) names.push_back(item.name);
  return names;
}

TEST(FilterNodes, TheseAndTheLinksBetweenThemStay) {
  const auto lab = filter_nodes(six(kSix), {"a", "sw", "h2"});
  ASSERT_TRUE(lab) << lab.error().text();
  EXPECT_THAT(names_of(lab->nodes), ElementsAre("a", "sw"));
  EXPECT_THAT(names_of(lab->hosts), ElementsAre("h2"));
  ASSERT_EQ(lab->links.size(), 2U);
  EXPECT_EQ(lab->links[0].b.node, "sw");
  EXPECT_EQ(lab->links[1].b.node, "host");
}

TEST(FilterNodes, AddressesStayThoseOfTheWholeLab) {
  const auto lab = filter_nodes(six(kSix), {"h2"});
  EXPECT_EQ(lab->hosts.at(0).address.format(), "10.99.0.12");
  EXPECT_TRUE(lab->underlay);
}

TEST(FilterNodes, TheUnderlayGoesWithTheLastThatJoinsIt) {
  EXPECT_FALSE(filter_nodes(six(kSix), {"b"})->underlay);
  EXPECT_TRUE(filter_nodes(six(kSix), {"a"})->underlay);
}

TEST(FilterNodes, StepsOfWhatIsLeftOutAreLeftOutAndSaid) {
  const auto lab = filter_nodes(six(kSix), {"h1", "h2"});
  ASSERT_EQ(lab->steps.size(), 3U);
  EXPECT_EQ(lab->steps[0].name, "both");
  EXPECT_EQ(std::get<StopAction>(lab->steps[2].action).background, "near");
  EXPECT_THAT(lab->warnings, ElementsAre("step 2 is left out: it is about h3",
                                         "step 4 is left out: it is about h3",
                                         "step 6 is left out: it is about far"));
  EXPECT_THAT(filter_nodes(six(kSix), {"h1", "h2", "h3"})->warnings, IsEmpty());
}

TEST(FilterNodes, FaultsAndChecksTooByNodeAndByLink) {
  Lab lab = six(kSix);
  lab.faults.push_back({.name = "", .action = fault::Cut{}, .on = {.names = {"b:eth1"}}});
  lab.faults.push_back({.name = "kept", .action = fault::Cut{}, .on = {.names = {"a:eth1"}}});
  lab.faults.push_back({.name = "split",
                        .action = fault::Partition{.shape = fault::Partition::Shape::sides,
                                                   .sides = {{"h1"}, {"a"}}},
                        .on = {}});
  lab.checks.push_back({.name = "far", .probe = probe::Ping{.to = "h1"}, .on = {"a"}});
  lab.checks.push_back({.name = "near", .probe = probe::Ping{.to = "10.0.0.1"}, .on = {"a"}});
  const auto filtered = filter_nodes(std::move(lab), {"a", "sw"});
  EXPECT_THAT(names_of(filtered->faults), ElementsAre("kept"));
  EXPECT_THAT(names_of(filtered->checks), ElementsAre("near"));
}

TEST(FilterFile, IsTheFileOfTheFilteredLab) {
  for (const std::vector<std::string>& names : std::initializer_list<std::vector<std::string>>{
           {"a", "sw", "h2"}, {"h1", "h2"}, {"b"}, {"h1", "h2", "h3", "a", "b", "sw"}}) {
    const auto text = filter_file(kSix, "f.yml", {}, names);
    ASSERT_TRUE(text) << text.error().text();
    const Lab lab = six(text->c_str());
    const auto wanted = filter_nodes(six(kSix), names);
    EXPECT_EQ(names_of(lab.hosts), names_of(wanted->hosts));
    EXPECT_EQ(names_of(lab.nodes), names_of(wanted->nodes));
    EXPECT_EQ(lab.links.size(), wanted->links.size());
    EXPECT_EQ(lab.steps.size(), wanted->steps.size());
    EXPECT_EQ(lab.underlay.has_value(), wanted->underlay.has_value());
    for (std::size_t i = 0; i < lab.hosts.size(); ++i)
      EXPECT_EQ(lab.hosts[i].address, wanted->hosts[i].address);
    if (lab.find_node("a")) {
      EXPECT_EQ(lab.find_node("a")->underlay, wanted->find_node("a")->underlay);
    }
  }
  EXPECT_FALSE(filter_file(kSix, "f.yml", {}, {"nobody"}));
}

TEST(FilterNodes, ANameThatIsNoneIsRefusedWithTheNearest) {
  const auto lab = filter_nodes(six(kSix), {"a", "h4"});
  ASSERT_FALSE(lab);
  EXPECT_THAT(lab.error().text(), HasSubstr("no host or node \"h4\"; did you mean \"h1\"?"));
  EXPECT_FALSE(filter_nodes(six(kSix), {}));
}

}  // namespace
}  // namespace heddle::format
