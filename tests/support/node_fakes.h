#pragma once
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "netd/cluster/cluster.h"
#include "netd/engine/engines.h"
#include "netd/holder/keeper.h"
#include "netd/mesh/mesh.h"
#include "netd/runtime/runtime.h"

// Parts of a node that do nothing but remember, for tests of the control executor.
namespace heddle::testing_support {

class FakeKeeper final : public holder::Keeper {
 public:
  Result<> put(const std::string& name, int) override {
    names[name] = true;
    return {};
  }
  Result<> drop(const std::string& name) override {
    names.erase(name);
    return {};
  }
  Result<std::map<std::string, UniqueFd>> take_all() override {
    return std::map<std::string, UniqueFd>();
  }
  Result<> shut() override { return {}; }

  std::map<std::string, bool> names;
};

class FakeProcesses final : public runtime::Processes {
 public:
  Result<runtime::ProcessId> start(const Spec& spec) override {
    started.push_back(spec);
    return runtime::ProcessId{static_cast<std::int64_t>(1000 + started.size()), "1"};
  }
  bool alive(const runtime::ProcessId& process) override { return living.contains(process.pid); }
  Result<> watch(const runtime::ProcessId& process, std::function<void(int)> on_exit) override {
    watched[process.pid] = std::move(on_exit);
    return {};
  }
  void stop(const runtime::ProcessId&, const std::string&, std::chrono::milliseconds,
            std::function<void()> on_done) override {
    on_done();
  }

  std::vector<Spec> started;
  std::map<std::int64_t, bool> living;
  std::map<std::int64_t, std::function<void(int)>> watched;
};

class FakeMesh final : public mesh::Mesh {
 public:
  void update(std::shared_ptr<const model::View> view) override { last = std::move(view); }
  std::optional<mesh::ProxyStatus> status(const model::Id&) override { return proxy; }
  int listener(const std::string&, std::uint16_t) override { return -1; }
  std::string proxy_cgroup(const model::Id& workload) const override {
    return "/cgroup/proxy-" + workload;
  }
  void remove_everything() override {}

  std::shared_ptr<const model::View> last;
  std::optional<mesh::ProxyStatus> proxy;
};

class FakeEngines final : public engine::Engines {
 public:
  Result<engine::Sighting> find(const std::string& reference, Deadline) override {
    const auto found = running.find(reference);
    if (found == running.end()) return fail(Errc::unavailable, reference + " is not running");
    return found->second;
  }
  std::vector<std::string> list_running(Deadline) override {
    std::vector<std::string> all;
    for (const auto& [reference, sighting] : running) all.push_back(reference);
    return all;
  }
  void follow(model::WorkloadKind kind, std::set<std::string> containers) override {
    followed[kind] = std::move(containers);
  }
  std::vector<std::string> troubles() override { return told; }
  Result<> pin(const engine::Sighting&, const std::string& path) override {
    if (pins.insert(path).second && on_pin) on_pin(path);
    return {};
  }
  Result<> unpin(const std::string& path) override {
    if (pins.erase(path) > 0 && on_unpin) on_unpin(path);
    return {};
  }

  std::map<std::string, engine::Sighting> running;  // by reference
  std::map<model::WorkloadKind, std::set<std::string>> followed;
  std::set<std::string> pins;
  std::vector<std::string> told;
  std::function<void(const std::string&)> on_pin;
  std::function<void(const std::string&)> on_unpin;
};

class FakeCluster final : public cluster::Cluster {
 public:
  Role role() const override { return current; }
  Result<model::Node> init(InitRequest, Deadline) override { return refuse(); }
  Result<model::Node> join(JoinRequest, Deadline) override { return refuse(); }
  Result<model::Node> force_new_cluster(Deadline) override { return refuse(); }
  Result<model::Node> set_role(model::Id, model::NodeRole, Deadline) override { return refuse(); }
  Result<model::Node> update_node(model::Id, NodeChange, Deadline) override { return refuse(); }
  Result<> remove_node(model::Id, Force, Deadline) override { return refuse(); }
  std::vector<ManagerState> managers(Deadline) override { return {}; }
  Result<> leave(Force, Deadline) override { return {}; }
  Result<Token> join_token(model::NodeRole, Rotate, std::optional<std::chrono::seconds>,
                           Deadline) override {
    return refuse();
  }
  Result<model::Network> create_network(model::Network, std::vector<Prefix>, Deadline) override {
    return refuse();
  }
  Result<model::Network> update_network(model::Network, model::Network after, std::vector<Prefix>,
                                        Deadline) override {
    if (current != Role::manager) return refuse();
    return after;
  }
  Result<> remove_network(model::Id, Deadline) override { return refuse(); }
  Result<model::Service> create_service(model::Service, Vip, Deadline) override { return refuse(); }
  Result<model::Service> update_service(model::Id, ServiceChange, Deadline) override {
    return refuse();
  }
  Result<> remove_service(model::Id, Deadline) override { return refuse(); }
  Result<model::AddressBlock> claim_block(model::Id network, Deadline) override {
    if (blocks.empty()) return fail(Errc::exhausted, "no block is left");
    const model::AddressBlock block{network, blocks.back(), "self"};
    blocks.pop_back();
    return block;
  }
  Result<> release_block(model::AddressBlock, Deadline) override { return {}; }
  void report(cluster::NodeReport said) override { reports.push_back(std::move(said)); }

  Role current = Role::none;
  std::vector<Prefix> blocks;
  std::vector<cluster::NodeReport> reports;

 private:
  static std::unexpected<Error> refuse() { return fail(Errc::conflict, "not in a swarm"); }
};

}  // namespace heddle::testing_support
