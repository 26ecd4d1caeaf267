// Nodes and declared services in the registry, against the SQLite store.
#include <algorithm>
#include <thread>

#include "netd/cluster/registry.h"
#include "tests/unit/netd/cluster/registry_fixture.h"

namespace heddle::cluster {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(RegistryTest, ThereIsAlwaysAManager) {
  const auto last = registry_->set_role("aa", model::NodeRole::worker, soon());
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().code(), Errc::in_use);
  EXPECT_EQ(registry_->remove_node("aa", soon()).error().code(), Errc::in_use);
  EXPECT_EQ(registry_->set_role("none", model::NodeRole::manager, soon()).error().code(),
            Errc::not_found);
  ASSERT_TRUE(registry_->set_role("bb", model::NodeRole::manager, soon()));
  EXPECT_EQ(registry_->find("bb")->role, model::NodeRole::manager);
  // Both at once, each from what it saw before the other: one of them stays.
  for (int round = 0; round < 8; ++round) {
    ASSERT_TRUE(registry_->set_role("aa", model::NodeRole::manager, soon()));
    ASSERT_TRUE(registry_->set_role("bb", model::NodeRole::manager, soon()));
    Result<model::Node> one = fail(Errc::internal, "");
    std::thread other([&] { one = registry_->set_role("aa", model::NodeRole::worker, soon()); });
    const auto two = registry_->set_role("bb", model::NodeRole::worker, soon());
    other.join();
    EXPECT_NE(one.has_value(), two.has_value());
    const Objects now = objects();
    EXPECT_EQ(std::ranges::count_if(now.nodes,
                                    [](const auto& each) {
                                      return each.second.value.role == model::NodeRole::manager;
                                    }),
              1);
  }
  ASSERT_TRUE(registry_->make_sole_manager("bb", soon()));
  EXPECT_EQ(registry_->find("aa")->role, model::NodeRole::worker);
}

TEST_F(RegistryTest, WhatPeopleSayOfANodeOutlivesItsReportsAndJoins) {
  const auto drained = registry_->update_node(
      "bb", {.availability = model::Availability::drain, .labels = {{"zone", "a"}}}, soon());
  ASSERT_TRUE(drained) << drained.error().text();
  tell("bb", {}, 7);
  admit("bb", "h2", 2);
  const auto now = registry_->find("bb");
  EXPECT_EQ(now->availability, model::Availability::drain);
  EXPECT_EQ(now->labels, (model::Labels{{"zone", "a"}}));
  EXPECT_EQ(registry_->update_node("none", {}, soon()).error().code(), Errc::not_found);
  const auto back = registry_->update_node(
      "bb", {.availability = model::Availability::active, .removed_labels = {"zone"}}, soon());
  EXPECT_TRUE(back->labels.empty());
}

// Goal: a node that moved stays who it is, and takes nobody's place.
TEST_F(RegistryTest, ANodeMoves) {
  const auto move = [&](const model::Id& who, std::uint32_t number) {
    Registry::Report report{.epoch = 1};
    report.addresses.own = IpAddr::v4(0xc0000200 + number);
    report.addresses.data = report.addresses.own;
    EXPECT_TRUE(registry_->report(who, report, soon()));
    return *registry_->find(who);
  };
  const model::Node moved = move("bb", 42);
  EXPECT_EQ(moved.data_address.format(), "192.0.2.42");
  EXPECT_EQ(moved.address.format(), "192.0.2.42");
  // h1 has that one; and managers' own addresses stay.
  EXPECT_EQ(move("bb", 1).data_address.format(), "192.0.2.42");
  ASSERT_TRUE(registry_->set_role("bb", model::NodeRole::manager, soon()));
  const model::Node manager = move("bb", 43);
  EXPECT_EQ(manager.data_address.format(), "192.0.2.43");
  EXPECT_EQ(manager.address.format(), "192.0.2.42");
}

TEST_F(RegistryTest, ADeclaredServiceOutlivesItsBackends) {
  const model::Network app = network("app");
  model::Service wanted;
  wanted.name = "web";
  wanted.network = app.id;
  wanted.ports = {{"", 80, model::Protocol::tcp, {}}};
  wanted.labels = {{"tier", "1"}};
  const auto web = registry_->create_service(wanted, Cluster::Vip::yes, soon());
  ASSERT_TRUE(web) << web.error().text();
  EXPECT_TRUE(web->declared);
  EXPECT_TRUE(app.subnets.front().prefix.contains(web->vip));
  EXPECT_EQ(registry_->create_service(wanted, Cluster::Vip::yes, soon()).error().code(),
            Errc::exists);
  wanted.name = "Web!";
  EXPECT_EQ(registry_->create_service(wanted, Cluster::Vip::yes, soon()).error().code(),
            Errc::invalid);
  wanted.name = "plain";
  const auto plain = registry_->create_service(wanted, Cluster::Vip::no, soon());
  ASSERT_TRUE(plain) << plain.error().text();
  EXPECT_TRUE(plain->vip.is_unspecified());

  // Backends come and go; its address and its ports are its own.
  const auto block = claim(app, "bb");
  EXPECT_THAT(tell("bb", {endpoint("e1", block, "web")}), IsEmpty());
  EXPECT_THAT(tell("bb", {endpoint("e1", block, "web", 81)}), SizeIs(1));
  EXPECT_THAT(tell("bb", {endpoint("e1", block, "web")}), IsEmpty());
  const auto used = registry_->remove_service(web->id, soon());
  ASSERT_FALSE(used);
  EXPECT_EQ(used.error().code(), Errc::in_use);
  EXPECT_THAT(used.error().text(), HasSubstr("w-e1"));
  tell("bb", {});
  EXPECT_EQ(objects().services.at(web->id).value.vip, web->vip);

  const auto changed = registry_->update_service(
      web->id, {.labels = {{"tier", "2"}, {"a", "b"}}, .removed_labels = {"none"}}, soon());
  EXPECT_EQ(changed->labels, (model::Labels{{"tier", "2"}, {"a", "b"}}));
  ASSERT_TRUE(registry_->remove_service(web->id, soon()));
  ASSERT_TRUE(registry_->remove_service(plain->id, soon()));
  EXPECT_EQ(registry_->remove_service(web->id, soon()).error().code(), Errc::not_found);
  for (const auto& [key, object] : objects().raw) EXPECT_NE(key.kind, kVipKind);
}

}  // namespace
}  // namespace heddle::cluster
