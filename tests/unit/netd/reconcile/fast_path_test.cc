#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "dataplane/intent/advance.h"
#include "netd/driver/bridge/bridge_driver.h"
#include "netd/driver/overlay/overlay_driver.h"
#include "netd/reconcile/plan.h"
#include "tests/support/views.h"

namespace heddle::reconcile {
namespace {

using dataplane::HostState;
using tests::ip;
using tests::port;

constexpr int kNetworks = 4;
constexpr int kWorkloads = 8;
constexpr int kSteps = 4000;

// A node at whose endpoints, workloads, services, networks, sidecars and sandboxes something
// happens at every step.
class World final {
 public:
  explicit World(unsigned seed) : random_(seed) {
    drivers.add(std::make_unique<bridge::BridgeDriver>());
    drivers.add(std::make_unique<overlay::OverlayDriver>());
    facts.underlay_device = "eth0";
    facts.underlay_address = ip("192.0.2.1");
    facts.cgroup = "/sys/fs/cgroup/heddle";
    build_.swarm("h1").node("h1", "192.0.2.1").node("h2", "192.0.2.2");
    for (int i = 0; i < kNetworks; ++i) make_network(i);
    for (int i = 0; i < kWorkloads; ++i) {
      // Two of them go by one sandbox.
      build_.workload(workload(i)).sandbox = "/run/netns/s" + std::to_string(i % (kWorkloads - 1));
    }
  }

  model::View& view() { return build_.view(); }

  std::string step() {
    const std::string network = "n" + std::to_string(pick(kNetworks));
    const std::string name = workload(pick(kWorkloads));
    switch (pick(13)) {
      case 0:
      case 1:
        return connect(name, network);
      case 2:
        return remote(network);
      case 3:
      case 4:
        return disconnect();
      case 5:
        return alter_endpoint();
      case 6:
        return toggle_service(network);
      case 7:
        return toggle_sidecar(name);
      case 8:
        return toggle_sandbox(view().workloads.at(name).sandbox);
      case 9:
        view().workloads.at(name).state =
            pick(3) == 0 ? model::WorkloadState::gone : model::WorkloadState::running;
        return "state of " + name;
      case 10:
        return alter_network(network);
      case 11:
        return claim_block(network);
      default:
        return connect(name, network) + ", " + disconnect();
    }
  }

  driver::DriverSet drivers;
  driver::NodeFacts facts;

 private:
  static std::string workload(int number) { return "c" + std::to_string(number); }
  int pick(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }

  void make_network(int i) {
    const std::string number = std::to_string(i);
    if (i % 2 == 0) {
      build_.network("n" + number, "overlay", "10.4" + number + ".0.0/20",
                     100 + static_cast<unsigned>(i));
    } else {
      build_.network("n" + number, "bridge", "172.2" + number + ".0.0/24");
    }
  }
  std::string address(const std::string& network) {
    const auto& subnet = view().networks.at(network).subnets.front().prefix;
    return subnet.at(static_cast<std::uint64_t>(10 + next_address_++ % 200)).format();
  }
  std::string connect(const std::string& name, const std::string& network) {
    if (view().endpoints.contains(name + "-" + network)) return "nothing";
    model::Endpoint& made = build_.endpoint(name, network, address(network));
    made.created = model::Time(std::chrono::seconds(pick(5)));
    decorate(made);
    return "connect " + made.id;
  }
  std::string remote(const std::string& network) {
    const std::string name = "r" + std::to_string(pick(4));
    if (view().endpoints.contains(name + "-" + network)) return "nothing";
    decorate(build_.remote(pick(5) == 0 ? "gone" : "h2", name, network, address(network)));
    return "remote " + name + " " + network;
  }
  void decorate(model::Endpoint& endpoint) {
    endpoint.state = static_cast<model::EndpointState>(pick(4));
    if (pick(2) == 0) return;
    endpoint.service = pick(2) == 0 ? "web" : "api";
    endpoint.ports = {port(static_cast<std::uint16_t>(8080 + pick(2)))};
  }
  // By this node, another, one that left, or for VIPs; at times all of them are given back.
  std::string claim_block(const std::string& network) {
    constexpr const char* kOwners[] = {"h1", "h2", "gone", "vip"};
    if (pick(8) == 0) view().blocks = model::Blocks();
    const auto& subnet = view().networks.at(network).subnets.front().prefix;
    const IpAddr address = subnet.at(static_cast<std::uint64_t>(pick(4)) * 64);
    const model::AddressBlock block{network, Prefix::containing(address, 26 + pick(2)),
                                    kOwners[pick(4)]};
    view().blocks.add(block);
    return "block " + block.prefix.format() + " of " + block.node;
  }
  std::string some_endpoint() {
    if (view().endpoints.empty()) return "";
    auto at = view().endpoints.begin();
    std::advance(at, pick(static_cast<int>(view().endpoints.size())));
    return at->first;
  }
  std::string disconnect() {
    const std::string id = some_endpoint();
    view().endpoints.erase(id);
    return "disconnect " + id;
  }
  std::string alter_endpoint() {
    const std::string id = some_endpoint();
    if (!id.empty()) decorate(view().endpoints.at(id));
    return "alter " + id;
  }
  std::string toggle_service(const std::string& network) {
    const std::string name = pick(2) == 0 ? "web" : "api";
    if (view().services.erase(name + "." + network) == 0) {
      const auto& subnet = view().networks.at(network).subnets.front().prefix;
      build_.service(name, network, subnet.at(name == "web" ? 250 : 251).format());
    }
    return "service " + name + "." + network;
  }
  std::string toggle_sidecar(const std::string& name) {
    if (view().sidecars.erase(name) == 0) view().sidecars.emplace(name, model::Sidecar{name});
    return "sidecar " + name;
  }
  std::string toggle_sandbox(const std::string& sandbox) {
    if (facts.missing_sandboxes.erase(sandbox) == 0) facts.missing_sandboxes.insert(sandbox);
    // Whoever changes a sandbox looks at its workloads again.
    for (int i = 0; i < kWorkloads; ++i) {
      model::Workload& it = view().workloads.at(workload(i));
      if (it.sandbox == sandbox) ++it.restarts;
    }
    return "sandbox " + sandbox;
  }
  std::string alter_network(const std::string& network) {
    model::Network& it = view().networks.at(network);
    it.internal = !it.internal;
    return "network " + network;
  }

  std::mt19937 random_;
  tests::ViewBuilder build_;
  int next_address_ = 0;
};

// The sysctls are never taken back, so they are left out.
HostState comparable(HostState state) {
  state.sysctls.clear();
  return state;
}

// Goal: whatever happens, the steps of the fast path lead where the whole plan does. Method: random
// changes, one to three at once, each carried out by its own steps alone.
TEST(FastPathHistory, ArrivesWhereTheWholePlanDoes) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  World world(seed);
  HostState kernel = plan(world.view(), world.facts, world.drivers);
  model::Index index(world.view());
  for (int i = 0; i < kSteps; ++i) {
    const model::View before = world.view();
    const driver::NodeFacts facts = world.facts;
    std::string what = world.step();
    for (int more = i % 3; more > 0; --more) what += "; " + world.step();
    const model::Index index_before = index;
    index.follow(before, world.view());
    const auto steps =
        plan_change({before, facts, index_before}, {world.view(), world.facts, index},
                    world.drivers, model::compare(before, world.view()));
    ASSERT_TRUE(steps) << what;
    for (const auto& step : *steps) dataplane::advance(kernel, step);
    ASSERT_EQ(comparable(kernel), comparable(plan(world.view(), world.facts, world.drivers)))
        << "step " << i << ": " << what;
  }
}

TEST(FastPathHistory, WhatOnlyWholePlansCanTellIsLeftToThem) {
  World world(1);
  const model::View before = world.view();
  world.view().unreachable.insert("h2");
  const model::Index index(before);
  EXPECT_FALSE(plan_change({before, world.facts, index}, {world.view(), world.facts, index},
                           world.drivers, model::compare(before, world.view())));
  driver::NodeFacts moved = world.facts;
  moved.underlay_device = "eth1";
  EXPECT_FALSE(
      plan_change({before, world.facts, index}, {before, moved, index}, world.drivers, {}));
}

}  // namespace
}  // namespace heddle::reconcile
