#include "netd/server/filters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heddle::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Pairs = std::vector<std::pair<std::string, std::string>>;

Filters filters(const Pairs& pairs) {
  Filters to;
  for (const auto& [key, value] : pairs) {
    auto& filter = *to.Add();
    filter.set_key(key);
    filter.set_value(value);
  }
  return to;
}

model::Network network(const std::string& id, const std::string& name, const std::string& driver,
                       model::Labels labels = {}) {
  return {.id = id,
          .name = name,
          .driver = driver,
          .scope = driver == "overlay" ? model::Scope::swarm : model::Scope::local,
          .labels = std::move(labels)};
}

model::View view() {
  model::View view;
  for (const auto& it : {network("aaaa1111", "app", "bridge", {{"team", "shop"}, {"ci", ""}}),
                         network("aaaa2222", "app-db", "overlay", {{"team", "shop"}}),
                         network("bbbb3333", "lan", "macvlan", {{"team", "net"}}),
                         network("cccc4444", "x", "bridge")}) {
    view.networks[it.id] = it;
  }
  view.endpoints["e1"] = {.id = "e1", .network = "aaaa1111", .workload = "w1"};
  view.load_balancers["b1"] = {.id = "b1", .name = "front", .network = "bbbb3333"};
  return view;
}

// Names of the networks that fit, in the order of their ids.
std::vector<std::string> listed(const Pairs& pairs) {
  const auto filter = network_filter(filters(pairs));
  if (!filter) return {filter.error().text()};
  std::vector<std::string> names;
  const auto all = view();
  for (const auto& [id, it] : all.networks) {
    if (fits(*filter, all, it)) names.push_back(it.name);
  }
  return names;
}

TEST(NetworkFilter, WithoutOneEverythingFits) {
  EXPECT_THAT(listed({}), ElementsAre("app", "app-db", "lan", "x"));
}

TEST(NetworkFilter, EachKeyHasItsWayOfFitting) {
  EXPECT_THAT(listed({{"driver", "bridge"}}), ElementsAre("app", "x"));
  EXPECT_THAT(listed({{"driver", "bri"}}), IsEmpty()) << "drivers are whole words";
  EXPECT_THAT(listed({{"id", "aaaa"}}), ElementsAre("app", "app-db"));
  EXPECT_THAT(listed({{"id", "1111"}}), IsEmpty()) << "an id is given by its start";
  EXPECT_THAT(listed({{"name", "p"}}), ElementsAre("app", "app-db"));
  EXPECT_THAT(listed({{"scope", "swarm"}}), ElementsAre("app-db"));
  EXPECT_THAT(listed({{"label", "team"}}), ElementsAre("app", "app-db", "lan"));
  EXPECT_THAT(listed({{"label", "team=shop"}}), ElementsAre("app", "app-db"));
  EXPECT_THAT(listed({{"label", "ci="}}), ElementsAre("app"));
  EXPECT_THAT(listed({{"label", "team="}}), IsEmpty());
}

TEST(NetworkFilter, ANetworkWithEndpointsOrALoadBalancerDoesNotDangle) {
  EXPECT_THAT(listed({{"dangling", "true"}}), ElementsAre("app-db", "x"));
  EXPECT_THAT(listed({{"dangling", "0"}}), ElementsAre("app", "lan"));
}

TEST(NetworkFilter, AConfigurationDanglesUntilANetworkIsMadeFromIt) {
  model::View all;
  all.networks["1"] = {.id = "1", .name = "base", .config_only = true};
  const auto filter = *network_filter(filters({{"dangling", "true"}}));
  EXPECT_TRUE(fits(filter, all, all.networks["1"]));
  all.networks["2"] = {.id = "2", .name = "app", .config_from = "base"};
  EXPECT_FALSE(fits(filter, all, all.networks["1"]));
  EXPECT_TRUE(fits(filter, all, all.networks["2"]));
}

TEST(NetworkFilter, OneOfAKeysValuesMustFitAndAllOfTheKeysAndLabels) {
  EXPECT_THAT(listed({{"driver", "bridge"}, {"driver", "macvlan"}}),
              ElementsAre("app", "lan", "x"));
  EXPECT_THAT(listed({{"name", "lan"}, {"name", "db"}}), ElementsAre("app-db", "lan"));
  EXPECT_THAT(listed({{"scope", "local"}, {"scope", "swarm"}, {"id", "c"}}), ElementsAre("x"));
  EXPECT_THAT(listed({{"driver", "bridge"}, {"label", "team"}}), ElementsAre("app"));
  EXPECT_THAT(listed({{"label", "team=shop"}, {"label", "ci"}}), ElementsAre("app"));
  EXPECT_THAT(listed({{"label", "team=shop"}, {"label", "team=net"}}), IsEmpty());
}

std::string refused(const Pairs& pairs) {
  const auto filter = network_filter(filters(pairs));
  if (filter) return "accepted";
  EXPECT_EQ(filter.error().code(), Errc::invalid);
  return filter.error().text();
}

TEST(NetworkFilter, WhatIsUnknownIsNamedWithWhatIsKnown) {
  EXPECT_EQ(refused({{"colour", "red"}}),
            "filter 'colour' is unknown; choose driver, id, label, name, scope or dangling");
  EXPECT_THAT(refused({{"scope", "global"}}), HasSubstr("choose local or swarm"));
  EXPECT_EQ(refused({{"dangling", "maybe"}}), "filter dangling='maybe' must be true or false");
  EXPECT_THAT(refused({{"dangling", "true"}, {"dangling", "false"}}), HasSubstr("both"));
  EXPECT_EQ(refused({{"name", ""}}), "filter 'name' needs a value: name=VALUE");
  EXPECT_THAT(refused({{"name", "a\x1b"}}), HasSubstr("control character"));
  EXPECT_THAT(refused(Pairs(257, {"name", "a"})), HasSubstr("257 entries; at most 256"));
  EXPECT_THAT(refused({{"name", std::string(5000, 'a')}}), HasSubstr("5000 bytes"));
}

constexpr model::Time kNow{std::chrono::seconds(1'760'000'000)};  // 2025-10-09T08:53:20Z

std::int64_t until(const std::string& text) {
  const auto spec = prune_spec(filters({{"until", text}}), kNow);
  return spec && spec->until ? spec->until->time_since_epoch().count() : -1;
}

TEST(PruneSpec, UntilIsATimeOrAnAge) {
  EXPECT_EQ(until("24h"), 1'760'000'000 - 86'400);
  EXPECT_EQ(until("1h30m"), 1'760'000'000 - 5'400);
  EXPECT_EQ(until("2d"), 1'760'000'000 - 172'800);
  EXPECT_EQ(until("1500ms"), 1'760'000'000 - 1);
  EXPECT_EQ(until("1760000000"), 1'760'000'000);
  EXPECT_EQ(until("0"), 0);
  EXPECT_EQ(until("2025-10-09T08:53:20Z"), 1'760'000'000);
  EXPECT_EQ(until("2025-10-09T08:53:20"), 1'760'000'000);
  EXPECT_EQ(until("2025-10-09T10:53:20+02:00"), 1'760'000'000);
  EXPECT_EQ(until("2025-10-09T04:23:20-04:30"), 1'760'000'000);
  EXPECT_EQ(until("2025-10-09"), 1'759'968'000);
}

TEST(PruneSpec, WhatIsNeitherIsRefused) {
  for (const char* bad :
       {"", "soon", "-5", "24x", "h", "1h2", "2025-13-40", "2025-10-09Z", "2025-10-09T08:53:20X",
        "2025-10-09T08:53:20+99:00", "2025-10-09T08:53:20+1:000", "99999999999999",
        "4294967295d4294967295d"}) {
    EXPECT_EQ(until(bad), -1) << bad;
  }
  EXPECT_FALSE(prune_spec(filters({{"until", "1h"}, {"until", "2h"}}), kNow).has_value());
  const auto unknown = prune_spec(filters({{"driver", "bridge"}}), kNow);
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().text(), "filter 'driver' is unknown; choose until, label or label!");
}

TEST(PruneSpec, LabelsAreWantedOrNot) {
  const auto spec =
      prune_spec(filters({{"label", "ci"}, {"label", "team=shop"}, {"label!", "keep"}}), kNow);
  ASSERT_TRUE(spec.has_value());
  EXPECT_THAT(spec->labels, ElementsAre("ci", "team=shop"));
  EXPECT_THAT(spec->without_labels, ElementsAre("keep"));
  EXPECT_EQ(spec->until, std::nullopt);
}

}  // namespace
}  // namespace heddle::server
