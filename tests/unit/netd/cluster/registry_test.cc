// What managers write, against the SQLite store: the same transactions as on etcd.
#include "netd/cluster/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <thread>

#include "netd/api/codec.h"
#include "netd/cluster/address_plan.h"
#include "tests/unit/netd/cluster/registry_fixture.h"

namespace heddle::cluster {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(RegistryTest, ASwarmIsFoundedOnce) {
  const auto again = Registry::found(*store_, {}, node("cc", "h3", 3), "key", soon());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), Errc::conflict);
}

TEST_F(RegistryTest, JoiningAgainWithTheSameKeyIsTheSameNode) {
  EXPECT_TRUE(registry_->admit({node("bb", "h2", 2), "key-bb"}, soon()));
  EXPECT_THAT(objects().nodes, SizeIs(2));
  const auto other = registry_->admit({node("bb", "h2", 2), "key-cc"}, soon());
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), Errc::conflict);
}

TEST(NodeName, IsAHostName) {
  EXPECT_TRUE(check_node_name("h1"));
  EXPECT_TRUE(check_node_name("Web-1.example.org"));
  for (const std::string bad : {"", "a b", "a/b", "\xc3\xa9", "a\n"}) {
    EXPECT_FALSE(check_node_name(bad)) << bad;
  }
  EXPECT_FALSE(check_node_name(std::string(254, 'a')));
}

TEST_F(RegistryTest, NetworksGetFreeSubnetsAndVnis) {
  const auto first = network("one");
  const auto second = create("two", "", {prefix("10.32.16.0/24")});
  ASSERT_TRUE(second);
  EXPECT_EQ(first.subnets.front().prefix, prefix("10.32.0.0/20"));
  EXPECT_EQ(first.subnets.front().gateway.format(), "10.32.0.1");
  EXPECT_EQ(second->subnets.front().prefix, prefix("10.32.32.0/20"));
  EXPECT_NE(first.vni, second->vni);
  EXPECT_GE(first.vni.value, 4096u);
}

TEST_F(RegistryTest, BadNetworksAreRefusedByName) {
  network("app");
  const auto error = [&](const std::string& name, const std::string& subnet,
                         std::vector<Prefix> avoid = {}) {
    const auto made = create(name, subnet, std::move(avoid));
    EXPECT_FALSE(made);
    return made ? Error(Errc::internal, "") : made.error();
  };
  EXPECT_EQ(error("app", "").code(), Errc::exists);
  EXPECT_EQ(error("Bad Name", "").code(), Errc::invalid);
  EXPECT_THAT(error("x", "10.32.8.0/21").text(), HasSubstr("overlaps network 'app'"));
  EXPECT_EQ(error("x", "10.32.8.0/21").code(), Errc::conflict);
  EXPECT_THAT(error("x", "192.168.0.0/24", {prefix("192.168.0.0/16")}).text(),
              HasSubstr("overlaps the route to 192.168.0.0/16"));
  EXPECT_EQ(error("x", "10.0.0.0/30").code(), Errc::invalid);
  EXPECT_EQ(error("x", "fd00::/64").code(), Errc::unsupported);
  model::Network draft;
  draft.name = "x";
  draft.scope = model::Scope::swarm;
  draft.subnets = {{prefix("192.168.1.0/24"), *IpAddr::parse("192.168.2.1")}};
  EXPECT_EQ(registry_->create_network(draft, {}, soon()).error().code(), Errc::invalid);
  draft.scope = model::Scope::local;
  EXPECT_EQ(registry_->create_network(draft, {}, soon()).error().code(), Errc::invalid);
  EXPECT_THAT(objects().networks, SizeIs(1));
}

TEST_F(RegistryTest, ThePoolRunsOutWithAClearError) {
  for (int i = 0; i < 16; ++i) network("n" + std::to_string(i));
  const auto none = create("more");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), Errc::exhausted);
}

// Goal: two nodes never own one address. Method: claimers race, through registries of their own as
// on several managers.
TEST_F(RegistryTest, RacingClaimsNeverOverlap) {
  const auto app = network("app");
  admit("cc", "h3", 3);
  std::mutex mutex;
  std::vector<model::AddressBlock> blocks;
  std::vector<std::thread> claimers;
  for (const char* who : {"aa", "bb", "cc"}) {
    claimers.emplace_back([&, who] {
      auto replica = Replica::start(*store_, soon());
      ASSERT_TRUE(replica);
      Registry registry(*store_, **replica, clock_);
      for (int i = 0; i < 15; ++i) {
        const auto block = registry.claim_block(app.id, who, soon());
        ASSERT_TRUE(block) << block.error().text();
        const std::lock_guard lock(mutex);
        blocks.push_back(*block);
      }
    });
  }
  for (auto& claimer : claimers) claimer.join();
  ASSERT_THAT(blocks, SizeIs(45));
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      EXPECT_FALSE(blocks[i].prefix.overlaps(blocks[j].prefix));
    }
  }
  EXPECT_THAT(objects().blocks, SizeIs(45));
}

TEST_F(RegistryTest, BlocksAreReleasedByTheirOwnerWhenUnused) {
  const auto app = network("app");
  const auto block = claim(app, "aa");
  tell("aa", {endpoint("e1", block)});
  const auto busy = registry_->release_block(block, soon());
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().code(), Errc::in_use);
  EXPECT_THAT(busy.error().text(), HasSubstr("w-e1"));
  tell("aa", {});
  EXPECT_TRUE(registry_->release_block(block, soon()));
  EXPECT_TRUE(registry_->release_block(block, soon()));
  EXPECT_THAT(objects().blocks, IsEmpty());
  EXPECT_EQ(registry_->claim_block("none", "aa", soon()).error().code(), Errc::not_found);
  EXPECT_EQ(registry_->claim_block(app.id, "zz", soon()).error().code(), Errc::denied);
}

TEST_F(RegistryTest, AServiceComesWithItsFirstEndpointAndGoesWithTheLast) {
  const auto app = network("app");
  const auto one = claim(app, "aa");
  const auto two = claim(app, "bb");
  EXPECT_THAT(tell("aa", {endpoint("e1", one, "web")}), IsEmpty());
  const Objects first = objects();
  ASSERT_THAT(first.services, SizeIs(1));
  const model::Service web = first.services.begin()->second.value;
  EXPECT_EQ(web.name, "web");
  EXPECT_TRUE(app.subnets.front().prefix.contains(web.vip));
  EXPECT_FALSE(one.prefix.contains(web.vip));
  EXPECT_FALSE(two.prefix.contains(web.vip));

  EXPECT_THAT(tell("bb", {endpoint("e2", two, "web")}), IsEmpty());
  EXPECT_THAT(tell("aa", {}), IsEmpty());
  EXPECT_EQ(objects().services.at(web.id).value, web);
  EXPECT_THAT(tell("bb", {}), IsEmpty());
  const Objects last = objects();
  EXPECT_THAT(last.services, IsEmpty());
  EXPECT_EQ(last.revision_of({kVipKind, vip_id(app.id, web.vip)}), 0u);
  // Made again it has its old address, which clients may have cached.
  tell("aa", {endpoint("e3", one, "web")});
  EXPECT_EQ(objects().services.begin()->second.value.vip, web.vip);
}

TEST_F(RegistryTest, ServicesOfOneReportGetDifferentVips) {
  const auto app = network("app");
  std::vector<model::Endpoint> all;
  const auto block = claim(app, "aa");
  for (int i = 0; i < 40; ++i) {
    auto each = endpoint("e" + std::to_string(i), block, "s" + std::to_string(i));
    each.address.address = block.prefix.at(static_cast<std::uint64_t>(i));
    all.push_back(each);
  }
  EXPECT_THAT(tell("aa", all), IsEmpty());
  std::set<IpAddr> vips;
  for (const auto& [id, service] : objects().services) vips.insert(service.value.vip);
  EXPECT_THAT(vips, SizeIs(40));
}

TEST_F(RegistryTest, ConflictingPortsAreRefusedUntilTheOthersAreGone) {
  const auto app = network("app");
  const auto one = claim(app, "aa");
  const auto two = claim(app, "bb");
  tell("aa", {endpoint("e1", one, "web", 80)});
  auto refused = tell("bb", {endpoint("e2", two, "web", 81)});
  ASSERT_THAT(refused, SizeIs(1));
  EXPECT_EQ(refused[0].endpoint, "e2");
  EXPECT_EQ(refused[0].error.code(), Errc::conflict);
  EXPECT_THAT(refused[0].error.text(), HasSubstr("'web'"));
  EXPECT_THAT(objects().endpoints, SizeIs(1));
  tell("aa", {});
  EXPECT_THAT(tell("bb", {endpoint("e2", two, "web", 81)}), IsEmpty());
  EXPECT_EQ(objects().services.begin()->second.value.ports.front().port, 81);
}

TEST_F(RegistryTest, ASoleBackendMayChangeItsServicesPorts) {
  const auto app = network("app");
  const auto one = claim(app, "aa");
  tell("aa", {endpoint("e1", one, "web", 80)});
  const auto before = objects().services.begin()->second.value;
  EXPECT_THAT(tell("aa", {endpoint("e1", one, "web", 81)}), IsEmpty());
  const auto now = objects().services.begin()->second.value;
  EXPECT_EQ(now.id, before.id);
  EXPECT_EQ(now.vip, before.vip);
  EXPECT_EQ(now.ports.front().port, 81);
  // Moving to another service leaves the first without a backend.
  EXPECT_THAT(tell("aa", {endpoint("e1", one, "api", 81)}), IsEmpty());
  ASSERT_THAT(objects().services, SizeIs(1));
  EXPECT_EQ(objects().services.begin()->second.value.name, "api");
}

TEST_F(RegistryTest, ANodeWritesOnlyWhatIsItsOwn) {
  const auto app = network("app");
  const auto one = claim(app, "aa");
  const auto two = claim(app, "bb");
  tell("aa", {endpoint("e1", one)});

  auto stolen = endpoint("e1", two);   // another's id
  auto foreign = endpoint("e2", one);  // another's address
  auto nowhere = endpoint("e3", two);
  nowhere.network = "none";
  auto posing = endpoint("e4", two);
  posing.node = "aa";
  auto refused = tell("bb", {stolen, foreign, nowhere, posing});
  ASSERT_THAT(refused, SizeIs(4));
  EXPECT_EQ(refused[0].error.code(), Errc::denied);
  EXPECT_EQ(refused[1].error.code(), Errc::denied);
  EXPECT_EQ(refused[2].error.code(), Errc::not_found);
  EXPECT_EQ(refused[3].error.code(), Errc::denied);
  const auto removal = registry_->report("bb", {1, {}, {"e1"}, Registry::Whole::no}, soon());
  ASSERT_TRUE(removal);
  const Objects now = objects();
  ASSERT_THAT(now.endpoints, SizeIs(1));
  EXPECT_EQ(now.endpoints.at("e1").value.node, "aa");
}

TEST_F(RegistryTest, OneReportIsOneTransaction) {
  const auto app = network("app");
  const auto one = claim(app, "aa");
  auto second = endpoint("e2", one, "api");
  second.address.address = one.prefix.at(2);
  const auto outcome = registry_->begin_session(
      "aa", "s1", Registry::Report{9, {endpoint("e1", one, "web"), second}, {}, {}}, soon());
  ASSERT_TRUE(outcome);
  const Objects now = objects();
  EXPECT_EQ(now.nodes.at("aa").revision, outcome->revision);
  EXPECT_EQ(now.nodes.at("aa").value.epoch, 9u);
  EXPECT_EQ(now.nodes.at("aa").value.status, model::NodeStatus::ready);
  EXPECT_EQ(now.endpoints.at("e1").revision, outcome->revision);
  EXPECT_EQ(now.endpoints.at("e2").revision, outcome->revision);
  for (const auto& [id, service] : now.services) EXPECT_EQ(service.revision, outcome->revision);
}

TEST_F(RegistryTest, AnUnchangedReportWritesNothing) {
  const auto app = network("app");
  const auto one = claim(app, "aa");
  tell("aa", {endpoint("e1", one, "web")});
  const auto before = objects().revision;
  tell("aa", {endpoint("e1", one, "web")});
  EXPECT_EQ(objects().revision, before);
}

TEST_F(RegistryTest, OnlyTheLastSessionOfANodeEndsIt) {
  ASSERT_TRUE(registry_->begin_session("bb", "s1", std::nullopt, soon()));
  ASSERT_TRUE(registry_->begin_session("bb", "s2", std::nullopt, soon()));
  ASSERT_TRUE(registry_->end_session("bb", "s1", soon()));
  EXPECT_EQ(objects().nodes.at("bb").value.status, model::NodeStatus::ready);
  ASSERT_TRUE(registry_->end_session("bb", "s2", soon()));
  EXPECT_EQ(objects().nodes.at("bb").value.status, model::NodeStatus::down);
  EXPECT_TRUE(registry_->end_session("zz", "s9", soon()));
}

TEST_F(RegistryTest, AHelloWithoutAReportLeavesWhatWasReported) {
  const auto app = network("app");
  const auto one = claim(app, "aa");
  tell("aa", {endpoint("e1", one, "web")}, 5);
  ASSERT_TRUE(registry_->begin_session("aa", "s1", std::nullopt, soon()));
  const Objects now = objects();
  EXPECT_THAT(now.endpoints, SizeIs(1));
  EXPECT_EQ(now.nodes.at("aa").value.epoch, 5u);
}

TEST_F(RegistryTest, NetworksInUseStayAndUnusedOnesGoWithAllTheyHad) {
  const auto app = network("app");
  const auto one = claim(app, "bb");
  tell("bb", {endpoint("e1", one, "web")});
  const auto used = registry_->remove_network(app.id, soon());
  ASSERT_FALSE(used);
  EXPECT_EQ(used.error().code(), Errc::in_use);
  EXPECT_THAT(used.error().text(), HasSubstr("w-e1 on h2"));
  tell("bb", {});
  EXPECT_TRUE(registry_->remove_network(app.id, soon()));
  const Objects now = objects();
  EXPECT_THAT(now.networks, IsEmpty());
  EXPECT_THAT(now.blocks, IsEmpty());
  for (const auto& [key, object] : now.raw) EXPECT_FALSE(key.id.starts_with(app.id)) << key.kind;
  EXPECT_EQ(registry_->remove_network(app.id, soon()).error().code(), Errc::not_found);
}

// Goal: no endpoint is left on a removed network. Method: an endpoint comes and goes on one
// registry while another tries to remove the network; whoever wins, the state fits together.
TEST_F(RegistryTest, RemovalsAndArrivalsDoNotPassEachOther) {
  auto second = Replica::start(*store_, soon());
  ASSERT_TRUE(second);
  Registry other(*store_, **second, clock_);
  for (int round = 0; round < 15; ++round) {
    const auto app = network("app" + std::to_string(round));
    const auto block = claim(app, "bb");
    std::thread remover([&] { (void)other.remove_network(app.id, soon()).has_value(); });
    (void)tell("bb", {endpoint("e1", block, "web")});
    remover.join();
    const Objects now = objects();
    const bool exists = now.networks.contains(app.id);
    EXPECT_EQ(now.endpoints.size(), exists ? 1u : 0u);
    EXPECT_EQ(now.services.size(), exists ? 1u : 0u);
    tell("bb", {});
    if (exists) {
      EXPECT_TRUE(registry_->remove_network(app.id, soon()));
    }
  }
}

// The same for a service: a backend that comes while the last one goes finds or makes its service.
TEST_F(RegistryTest, AServiceIsNotLostBetweenItsLastAndItsNextBackend) {
  auto second = Replica::start(*store_, soon());
  ASSERT_TRUE(second);
  Registry other(*store_, **second, clock_);
  const auto app = network("app");
  const auto one = claim(app, "aa");
  const auto two = claim(app, "bb");
  for (int round = 0; round < 20; ++round) {
    tell("aa", {endpoint("e1", one, "web")});
    tell("bb", {});
    std::thread leaver(
        [&] { EXPECT_TRUE(other.report("aa", {1, {}, {"e1"}, Registry::Whole::no}, soon())); });
    EXPECT_THAT(tell("bb", {endpoint("e2", two, "web")}), IsEmpty());
    leaver.join();
    const Objects now = objects();
    EXPECT_THAT(now.endpoints, SizeIs(1));
    ASSERT_THAT(now.services, SizeIs(1)) << round;
    EXPECT_NE(now.revision_of({kVipKind, vip_id(app.id, now.services.begin()->second.value.vip)}),
              0u);
  }
}

TEST_F(RegistryTest, ARemovedNodeTakesEverythingWithIt) {
  const auto app = network("app");
  const auto block = claim(app, "bb");
  tell("bb", {endpoint("e1", block, "web")});
  ASSERT_TRUE(registry_->remove_node("bb", soon()));
  const Objects now = objects();
  EXPECT_FALSE(now.nodes.contains("bb"));
  EXPECT_THAT(now.endpoints, IsEmpty());
  EXPECT_THAT(now.services, IsEmpty());
  for (const auto& [id, each] : now.blocks) EXPECT_EQ(each.value.node, kVipOwner);
  EXPECT_TRUE(registry_->remove_node("bb", soon()));
  EXPECT_EQ(registry_->begin_session("bb", "s", std::nullopt, soon()).error().code(), Errc::denied);
  EXPECT_EQ(registry_->report("bb", {}, soon()).error().code(), Errc::denied);
}

TEST_F(RegistryTest, TokensAreToldApartRotatedAndExpire) {
  const auto worker = registry_->token_secret(model::NodeRole::worker, soon());
  const auto manager = registry_->token_secret(model::NodeRole::manager, soon());
  ASSERT_TRUE(worker && manager);
  EXPECT_EQ(registry_->check_secret(*worker, soon()), model::NodeRole::worker);
  EXPECT_EQ(registry_->check_secret(*manager, soon()), model::NodeRole::manager);
  EXPECT_EQ(registry_->check_secret("", soon()).error().code(), Errc::denied);
  const auto fresh =
      registry_->rotate_token(model::NodeRole::worker, std::chrono::seconds(60), soon());
  ASSERT_TRUE(fresh);
  EXPECT_EQ(registry_->check_secret(*worker, soon()).error().code(), Errc::denied);
  EXPECT_TRUE(registry_->check_secret(*fresh, soon()));
  clock_.advance(std::chrono::seconds(61));
  const auto late = registry_->check_secret(*fresh, soon());
  ASSERT_FALSE(late);
  EXPECT_THAT(late.error().text(), HasSubstr("expired"));
}

TEST_F(RegistryTest, ANetworkGrowsAndKeepsItsBlocks) {
  auto made = create("app", "10.40.0.0/20");
  ASSERT_TRUE(made) << made.error().text();
  const model::AddressBlock block = claim(*made, "aa");
  model::Network after = *made;
  after.subnets[0].prefix = prefix("10.40.0.0/16");
  after.options = {{"mtu", "1400"}};
  after.labels = {{"tier", "web"}};
  const auto updated = registry_->update_network(*made, after, {}, soon());
  ASSERT_TRUE(updated) << updated.error().text();
  EXPECT_EQ(objects().networks.at(made->id).value, after);
  for (int i = 0; i < 60; ++i) {  // the /20 had 48 blocks
    const model::AddressBlock next = claim(after, "bb");
    EXPECT_FALSE(next.prefix.overlaps(block.prefix));
    EXPECT_TRUE(after.subnets[0].prefix.contains(next.prefix));
  }
}

TEST_F(RegistryTest, ANetworkChangesOnlyFromWhatTheNodeKnewAndOnlyAsItMay) {
  auto made = create("app", "10.40.0.0/20");
  ASSERT_TRUE(made) << made.error().text();
  ASSERT_TRUE(create("other", "10.41.0.0/20"));
  const auto refusal = [&](const std::function<void(model::Network&)>& change,
                           std::vector<Prefix> avoid = {}) {
    model::Network after = *made;
    change(after);
    const auto updated = registry_->update_network(*made, after, std::move(avoid), soon());
    return updated ? "" : updated.error().text();
  };
  EXPECT_THAT(refusal([](auto& n) { n.name = "x"; }), HasSubstr("only its subnet, options"));
  EXPECT_THAT(refusal([](auto& n) { n.subnets[0].prefix = prefix("10.40.0.0/21"); }),
              HasSubstr("can only grow"));
  EXPECT_THAT(refusal([](auto& n) { n.subnets[0].prefix = prefix("10.32.0.0/11"); }),
              HasSubstr("can only grow"));
  EXPECT_THAT(refusal([](auto& n) { n.subnets[0].prefix = prefix("10.40.0.0/15"); }),
              HasSubstr("overlaps network 'other'"));
  EXPECT_THAT(refusal([](auto& n) { n.subnets[0].prefix = prefix("10.40.0.0/19"); },
                      {prefix("10.40.16.0/24")}),
              HasSubstr("overlaps the route"));
  EXPECT_EQ(refusal([](auto& n) { n.labels = {{"a", "1"}}; }), "");
  EXPECT_THAT(refusal([](auto& n) { n.labels = {{"a", "2"}}; }), HasSubstr("changed meanwhile"));
}

TEST_F(RegistryTest, AReservedAddressIsNobodysVip) {
  model::Network draft;
  draft.name = "tiny";
  draft.driver = "overlay";
  draft.scope = model::Scope::swarm;
  draft.subnets = {{prefix("10.40.0.0/29"), {}, {}, {}}};
  for (std::uint64_t at : {2, 3, 4}) {
    draft.subnets[0].reserved["r" + std::to_string(at)] = prefix("10.40.0.0/29").at(at);
  }
  const auto made = registry_->create_network(draft, {}, soon());
  ASSERT_TRUE(made) << made.error().text();
  EXPECT_EQ(claim(*made, "aa").prefix, prefix("10.40.0.5/32"));
  EXPECT_EQ(claim(*made, "aa").prefix, prefix("10.40.0.6/32"));
  EXPECT_EQ(registry_->claim_block(made->id, "aa", soon()).error().code(), Errc::exhausted);
}

}  // namespace
}  // namespace heddle::cluster
