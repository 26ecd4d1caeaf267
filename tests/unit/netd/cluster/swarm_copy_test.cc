#include "netd/cluster/swarm_copy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "netd/api/codec.h"
#include "netd/api/node.pb.h"
#include "netd/cluster/report_log.h"

namespace heddle::cluster {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

model::Network network(const std::string& id) {
  model::Network made;
  made.id = id;
  made.name = "n" + id;
  made.driver = "overlay";
  made.scope = model::Scope::swarm;
  made.subnets = {{*Prefix::parse("10.32.0.0/20"), *IpAddr::parse("10.32.0.1")}};
  made.vni = {4096};
  return made;
}

node::v1::State state(std::uint64_t revision, const std::vector<std::string>& networks,
                      const std::vector<std::string>& removed = {}) {
  node::v1::State made;
  made.set_revision(revision);
  for (const std::string& id : networks) {
    auto& item = *made.add_items();
    item.set_kind("network");
    item.set_id(id);
    item.set_payload(api::encode(network(id)));
  }
  for (const std::string& id : removed) {
    auto& item = *made.add_items();
    item.set_kind("network");
    item.set_id(id);
    item.set_removed(true);
  }
  return made;
}

TEST(SwarmCopy, TakesWholeStatesInPartsAndThenChanges) {
  SwarmCopy copy("self");
  auto first = state(5, {"a"});
  first.set_whole(true);
  first.set_more(true);
  EXPECT_EQ(copy.apply(first), false);
  EXPECT_FALSE(copy.known());
  auto second = state(5, {"b"});
  second.set_whole(true);
  EXPECT_EQ(copy.apply(second), true);
  EXPECT_THAT(copy.state().networks, SizeIs(2));
  EXPECT_EQ(copy.apply(state(6, {"c"}, {"a"})), true);
  EXPECT_THAT(copy.state().networks, SizeIs(2));
  EXPECT_EQ(copy.state().networks.front(), network("b"));
  EXPECT_EQ(copy.revision(), 6u);
  auto whole = state(7, {});
  whole.set_whole(true);
  EXPECT_EQ(copy.apply(whole), true);
  EXPECT_THAT(copy.state().networks, IsEmpty());
}

TEST(SwarmCopy, ABadPartChangesNothingAndUnknownKindsPass) {
  SwarmCopy copy("self");
  EXPECT_TRUE(copy.apply(state(5, {"a"})));
  auto bad = state(6, {"b"});
  bad.mutable_items(0)->set_payload("\xff\xff");
  EXPECT_EQ(copy.apply(bad).error().code(), Errc::invalid);
  EXPECT_EQ(copy.revision(), 5u);
  auto newer = state(6, {"b"});
  newer.mutable_items(0)->set_kind("something-new");
  EXPECT_EQ(copy.apply(newer), true);
  EXPECT_THAT(copy.state().networks, SizeIs(1));
}

TEST(SwarmCopy, SavesAndLoadsForItsOwnSwarmOnly) {
  SwarmCopy copy("self");
  EXPECT_TRUE(copy.apply(state(5, {"a", "b"})));
  const std::string saved = copy.save("swarm");
  SwarmCopy again("self");
  ASSERT_TRUE(again.load("swarm", saved));
  EXPECT_EQ(again.revision(), 5u);
  EXPECT_THAT(again.state().networks, SizeIs(2));
  SwarmCopy other("self");
  EXPECT_FALSE(other.load("another", saved));
  EXPECT_FALSE(other.load("swarm", saved.substr(0, saved.size() / 2)));
  EXPECT_FALSE(other.load("swarm", ""));
  EXPECT_FALSE(other.known());
}

model::Endpoint endpoint(const std::string& id) {
  model::Endpoint made;
  made.id = id;
  return made;
}

TEST(ReportLog, TellsEverythingOnceAndThenWhatChanged) {
  ReportLog log;
  log.begin_session();
  EXPECT_EQ(log.take_changes(), std::nullopt);  // nothing is known yet, not: there is nothing
  log.set({1, {endpoint("a"), endpoint("b")}});
  auto changes = log.take_changes();
  ASSERT_TRUE(changes);
  EXPECT_TRUE(changes->whole);
  EXPECT_THAT(changes->put, SizeIs(2));
  EXPECT_EQ(log.take_changes(), std::nullopt);
  auto draining = endpoint("a");
  draining.state = model::EndpointState::draining;
  log.set({1, {draining, endpoint("c")}});
  changes = log.take_changes();
  ASSERT_TRUE(changes);
  EXPECT_FALSE(changes->whole);
  EXPECT_THAT(changes->put, SizeIs(2));
  EXPECT_THAT(changes->removed, testing::ElementsAre("b"));
  log.set({2, {draining, endpoint("c")}});
  changes = log.take_changes();
  ASSERT_TRUE(changes);
  EXPECT_EQ(changes->epoch, 2u);
  EXPECT_THAT(changes->put, IsEmpty());
  log.begin_session();
  EXPECT_THAT(log.take_changes()->put, SizeIs(2));
}

TEST(ReportLog, AnEmptyReportIsToldToo) {
  ReportLog log;
  log.begin_session();
  log.set({1, {}});
  const auto changes = log.take_changes();
  ASSERT_TRUE(changes);
  EXPECT_TRUE(changes->whole);
}

TEST(ReportLog, RefusedEndpointsAreToldAgain) {
  ReportLog log;
  log.begin_session();
  log.set({1, {endpoint("a"), endpoint("b")}});
  (void)log.take_changes();
  log.refused("a");
  EXPECT_EQ(log.take_changes(), std::nullopt);
  log.retry_refused();
  const auto changes = log.take_changes();
  ASSERT_TRUE(changes);
  ASSERT_THAT(changes->put, SizeIs(1));
  EXPECT_EQ(changes->put.front().id, "a");
}

}  // namespace
}  // namespace heddle::cluster
