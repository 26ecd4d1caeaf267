#include "netd/control/view_builder.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "netd/store/store.h"

namespace heddle::control {
namespace {

class ViewBuilderTest : public testing::Test {
 protected:
  ViewBuilderTest() {
    char path[] = "/tmp/heddle-view-XXXXXX";
    dir_ = ::mkdtemp(path);
    store_ = *store::open_sqlite(dir_ + "/heddle.db");
  }
  ~ViewBuilderTest() override {
    store_.reset();
    std::filesystem::remove_all(dir_);
  }

  static model::Network network(const model::Id& id, model::Scope scope) {
    model::Network value;
    value.id = id;
    value.name = "n-" + id;
    value.driver = scope == model::Scope::local ? "bridge" : "overlay";
    value.scope = scope;
    value.subnets = {{*Prefix::parse("10.40.0.0/20"), *IpAddr::parse("10.40.0.1")}};
    return value;
  }
  static model::Endpoint endpoint(const model::Id& id, const model::Id& of, const model::Id& node) {
    model::Endpoint value;
    value.id = id;
    value.network = of;
    value.workload = "w1";
    value.workload_name = "c1";
    value.node = node;
    value.address = *IfAddr::parse("10.40.0.9/20");
    return value;
  }

  std::string dir_;
  std::unique_ptr<store::Store> store_;
};

TEST_F(ViewBuilderTest, ThisNodesWordStandsOverWhatTheSwarmRemembers) {
  Objects own = *Objects::load(*store_);
  Objects::Batch batch;
  model::Endpoint mine = endpoint("e1", "n2", "");
  mine.state = model::EndpointState::ready;
  batch.put(network("n1", model::Scope::local)).put(mine);
  ASSERT_TRUE(own.commit(std::move(batch)));

  cluster::SwarmState swarm;
  swarm.self = "me";
  swarm.networks = {network("n2", model::Scope::swarm)};
  model::Endpoint remembered = endpoint("e1", "n2", "me");
  remembered.state = model::EndpointState::starting;
  swarm.endpoints = {remembered, endpoint("e2", "n2", "me"), endpoint("e3", "n2", "other")};

  const model::View view = build_view(own, swarm, {});
  ASSERT_EQ(view.endpoints.size(), 2u) << "e2 is not ours any more, whatever the swarm says";
  EXPECT_EQ(view.endpoints.at("e1").state, model::EndpointState::ready);
  EXPECT_EQ(view.endpoints.at("e1").node, "me");
  EXPECT_TRUE(view.endpoints.contains("e3"));
  EXPECT_EQ(reported_endpoints(view).size(), 1u);
}

TEST_F(ViewBuilderTest, AnEndpointWithoutItsNetworkIsLeftOut) {
  Objects own = *Objects::load(*store_);
  Objects::Batch batch;
  batch.put(endpoint("e1", "gone", ""));
  ASSERT_TRUE(own.commit(std::move(batch)));
  EXPECT_TRUE(build_view(own, std::nullopt, {}).endpoints.empty());
}

TEST_F(ViewBuilderTest, ObjectsComeBackAsTheyWereStored) {
  {
    Objects own = *Objects::load(*store_);
    Objects::Batch batch;
    batch.put(network("n1", model::Scope::local)).put(model::Sidecar{"w1"});
    ASSERT_TRUE(own.commit(std::move(batch)));
    Objects::Batch removal;
    removal.remove_sidecar("w1");
    ASSERT_TRUE(own.commit(std::move(removal)));
  }
  const Objects again = *Objects::load(*store_);
  EXPECT_EQ(again.networks().at("n1"), network("n1", model::Scope::local));
  EXPECT_TRUE(again.sidecars().empty());
}

TEST_F(ViewBuilderTest, StateThatDoesNotDecodeIsAnErrorThatNamesIt) {
  ASSERT_TRUE(store_->commit(
      {.puts = {{.kind = "network", .id = "n1", .name = "x", .payload = "\xff\xff not a message"}}},
      after(std::chrono::seconds(1))));
  const auto loaded = Objects::load(*store_);
  ASSERT_FALSE(loaded.has_value());
  EXPECT_NE(loaded.error().text().find("network n1"), std::string::npos);
}

}  // namespace
}  // namespace heddle::control
