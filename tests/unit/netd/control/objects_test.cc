// Goal: what a power cut must not undo waits for the disk, and nothing else does (docs/design.md,
// "Store"). Method: a store that notes what each commit is to outlive; that SQLite then waits or
// does not is tested in tests/unit/netd/store.
#include "netd/control/objects.h"

#include <gtest/gtest.h>

#include <optional>

namespace heddle::control {
namespace {

using model::WorkloadKind;
using store::Outlives;

class NotingStore final : public store::Store {
 public:
  Result<std::optional<store::Object>> get(const store::Key&, Deadline) override {
    return std::optional<store::Object>();
  }
  Result<store::Listing> list(const std::string&, Deadline) override { return store::Listing(); }
  Result<store::Revision> commit(const store::Transaction& transaction, Deadline) override {
    last = transaction.outlives;
    return ++revision_;
  }
  Result<std::unique_ptr<Watch>> watch(store::Revision, OnChange) override {
    return fail(Errc::unsupported, "nobody watches here");
  }

  std::optional<Outlives> last;

 private:
  store::Revision revision_ = 0;
};

class ObjectsTest : public testing::Test {
 protected:
  // What the commit of a batch is to outlive.
  Outlives commit(Objects::Batch batch) {
    store_.last.reset();
    const auto done = objects_.commit(std::move(batch));
    EXPECT_TRUE(done);
    EXPECT_TRUE(store_.last);
    return store_.last.value_or(Outlives::machine);
  }
  template <class... Values>
  Outlives put(Values... values) {
    Objects::Batch batch;
    (batch.put(std::move(values)), ...);
    return commit(std::move(batch));
  }

  static model::Workload workload(const std::string& id, WorkloadKind kind) {
    model::Workload made;
    made.id = made.name = id;
    made.kind = kind;
    return made;
  }
  static model::Endpoint endpoint(const std::string& id, const std::string& of) {
    model::Endpoint made;
    made.id = id;
    made.workload = of;
    return made;
  }
  static model::Service service(const std::string& id, bool declared) {
    model::Service made;
    made.id = made.name = id;
    made.declared = declared;
    return made;
  }

  NotingStore store_;
  Objects objects_ = *Objects::load(store_);
};

TEST_F(ObjectsTest, NamespacesAndProcessesOfOthersEndWithTheMachineAndTheirObjectsToo) {
  for (const auto kind : {WorkloadKind::netns, WorkloadKind::pid}) {
    EXPECT_EQ(put(workload("w", kind)), Outlives::process);
    EXPECT_EQ(put(endpoint("e", "w"), service("s", false)), Outlives::process);
    EXPECT_EQ(put(model::Sidecar{"w"}), Outlives::process);
    EXPECT_EQ(put(ReleasedAddress{.network = "n", .address = IpAddr(), .until = {}}),
              Outlives::process);
    Objects::Batch all;
    all.remove_sidecar("w").remove_service("s").remove_endpoint("e").remove_workload("w");
    all.remove_released(released_id("n", IpAddr()));
    EXPECT_EQ(commit(std::move(all)), Outlives::process);
  }
  // Known only with its first endpoint.
  EXPECT_EQ(put(workload("v", WorkloadKind::netns), endpoint("f", "v")), Outlives::process);
}

TEST_F(ObjectsTest, WhatStartsAgainOutlivesTheMachineAndItsObjectsToo) {
  for (const auto kind : {WorkloadKind::run, WorkloadKind::docker, WorkloadKind::podman,
                          WorkloadKind::load_balancer}) {
    EXPECT_EQ(put(workload("w", kind), endpoint("e", "w")), Outlives::machine);
    EXPECT_EQ(put(endpoint("e", "w")), Outlives::machine);
    EXPECT_EQ(put(model::Sidecar{"w"}), Outlives::machine);
    Objects::Batch sidecar_gone;
    EXPECT_EQ(commit(sidecar_gone.remove_sidecar("w")), Outlives::machine);
    Objects::Batch endpoint_gone;
    EXPECT_EQ(commit(endpoint_gone.remove_endpoint("e")), Outlives::machine);
    Objects::Batch workload_gone;
    EXPECT_EQ(commit(workload_gone.remove_workload("w")), Outlives::machine);
  }
}

TEST_F(ObjectsTest, WhatPeopleDeclareOutlivesTheMachine) {
  model::Network network;
  network.id = network.name = "n";
  EXPECT_EQ(put(network), Outlives::machine);
  EXPECT_EQ(put(service("s", true)), Outlives::machine);
  model::LoadBalancer balancer;
  balancer.id = balancer.name = "l";
  EXPECT_EQ(put(balancer), Outlives::machine);
  Objects::Batch removal;
  EXPECT_EQ(commit(removal.remove_service("s")), Outlives::machine);
  Objects::Batch network_gone;
  EXPECT_EQ(commit(network_gone.remove_network("n")), Outlives::machine);
  Objects::Batch balancer_gone;
  EXPECT_EQ(commit(balancer_gone.remove_load_balancer("l")), Outlives::machine);
}

// An endpoint whose workload changes, or that is put again, is found where it is and nowhere else.
TEST_F(ObjectsTest, EndpointsAreFoundByTheirWorkload) {
  const auto of = [&](const std::string& workload) {
    std::string ids;
    for (const auto& found : objects_.endpoints_of(workload)) ids += found.id + " ";
    return ids;
  };
  put(endpoint("b", "w"), endpoint("a", "w"), endpoint("c", "w2"));
  put(endpoint("b", "w"));
  EXPECT_EQ(of("w"), "a b ");
  EXPECT_EQ(of("w2"), "c ");
  EXPECT_EQ(of("other"), "");
  put(endpoint("a", "w2"));
  EXPECT_EQ(of("w"), "b ");
  EXPECT_EQ(of("w2"), "a c ");
  Objects::Batch gone;
  gone.remove_endpoint("c").remove_endpoint("b").remove_endpoint("unknown");
  commit(std::move(gone));
  EXPECT_EQ(of("w"), "");
  EXPECT_EQ(of("w2"), "a ");
}

TEST_F(ObjectsTest, OneThingThatOutlivesTheMachineTakesItsBatchAlong) {
  EXPECT_EQ(put(workload("w", WorkloadKind::netns)), Outlives::process);
  EXPECT_EQ(put(endpoint("e", "w"), service("s", true)), Outlives::machine);
}

}  // namespace
}  // namespace heddle::control
