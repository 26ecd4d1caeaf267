#pragma once
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "common/base/clock.h"
#include "dataplane/intent/kernel.h"
#include "netd/cluster/cluster.h"
#include "netd/cluster/prober.h"
#include "netd/control/daemon.h"
#include "netd/control/executor.h"
#include "netd/control/health.h"
#include "netd/control/objects.h"
#include "netd/control/resolvers.h"
#include "netd/driver/driver.h"
#include "netd/holder/keeper.h"
#include "netd/ipam/pool.h"
#include "netd/ipam/subnet.h"
#include "netd/mesh/mesh.h"
#include "netd/runtime/runtime.h"

namespace heddle::control {

// The node: its one writer of state. Operations change objects, `refresh` turns objects into a
// View, the View into an intent, and the difference to what was applied into kernel operations,
// names, proxies and a report to the managers; `audit` compares with the kernel itself. Threads:
// operations from any; everything private runs on the control executor, apart from what
//          waits for managers, which runs on the caller's thread between two visits to it.
class Control final : public Daemon {
 public:
  struct Settings {
    std::string state_dir;
    std::string run_dir;
    std::string cgroup;  // cgroup2 directory that workloads' and proxies' cgroups go below
    std::string node_name;
    std::vector<Prefix> local_pools;
    int local_subnet_length = 20;
    std::chrono::milliseconds audit_interval{5000};
    std::function<Result<SystemInfo>()> system_info;  // what probes and counters say
    std::function<void()> ask_to_end;
  };
  // All borrowed; they outlive the Control's stop().
  struct Parts {
    const Clock* clock;
    store::Store* store;
    dataplane::Kernel* kernel;
    const driver::DriverSet* drivers;
    holder::Keeper* keeper;
    runtime::Processes* processes;
    mesh::Mesh* mesh;
    Resolvers* resolvers;
    cluster::Cluster* cluster;
  };

  explicit Control(Settings settings);
  ~Control() override;  // stop()

  // Reads the state, adopts or rebuilds what the kernel has, starts workloads that should run, and
  // begins to audit. Errors: a store that does not read; kernel failures are logged and tried
  // again.
  Result<> start(Parts parts);
  // Ends timers and callbacks. Containers, proxies, rules and programs stay as they are.
  void stop();

  // Events of the parts; from any thread, before start() too.
  void swarm_changed(cluster::SwarmState state);
  void proxies_changed();

  std::shared_ptr<const model::View> view() override;
  Result<model::Network> create_network(NetworkSpec spec, Deadline deadline) override;
  Result<> remove_network(std::string network, Deadline deadline) override;
  Result<model::Network> update_network(NetworkUpdate update, Deadline deadline) override;
  Result<std::vector<SubnetUse>> subnet_use(std::string network) override;
  Result<std::vector<std::string>> prune_networks(PruneSpec spec, Deadline deadline) override;
  std::string device_of(const model::Network& network) override;
  Result<std::map<model::Id, std::string>> endpoint_devices(model::Id network) override;
  Result<model::Endpoint> connect(ConnectSpec spec, Deadline deadline) override;
  Result<> disconnect(std::string network, std::string workload, Deadline deadline) override;
  Result<model::Endpoint> publish(PublishSpec spec, Deadline deadline) override;
  Result<Started> run(RunSpec spec, Deadline deadline) override;
  Result<> remove_workload(std::string workload, Force force, Deadline deadline) override;
  Result<model::Node> swarm_init(SwarmInit request, Deadline deadline) override;
  Result<model::Node> swarm_join(SwarmJoin request, Deadline deadline) override;
  Result<> swarm_leave(Force force, Deadline deadline) override;
  Result<cluster::Cluster::Token> join_token(model::NodeRole role, cluster::Cluster::Rotate rotate,
                                             std::optional<std::chrono::seconds> ttl,
                                             Deadline deadline) override;
  Result<ProxiedWorkload> inject_sidecar(std::string workload, Deadline deadline) override;
  Result<> eject_sidecar(std::string workload, Deadline deadline) override;
  std::optional<mesh::ProxyStatus> proxy_status(const model::Id& workload) override;
  Result<model::LoadBalancer> create_load_balancer(LoadBalancerSpec spec,
                                                   Deadline deadline) override;
  Result<> remove_load_balancer(std::string load_balancer, Deadline deadline) override;
  Result<Verified> verify(Repair repair) override;
  Result<SystemInfo> system_info() override;
  Result<> reset(Deadline deadline) override;

 private:
  struct Failure {
    dataplane::Operation operation;
    Error error;
  };
  void adopt_kernel();
  // Peers that an earlier daemon had taken out of its services, as the adopted kernel shows them.
  std::set<model::Id> unreachable_in_kernel(const model::View& view) const;

  // --- refresh.cc: objects -> view -> intent -> kernel ---
  std::vector<Failure> refresh();
  void apply_plan(const model::View& view, std::vector<Failure>& failures);
  void update_facts(const model::View& view);
  void update_health(const model::View& view);
  void update_prober(const model::View& view);
  void retry_later();
  void audit();
  void release_vanished();

  // --- networks.cc ---
  Result<model::Network> create_local_network(model::Network draft);
  // Errors: `conflict` naming the network or host route that the subnet overlaps.
  Result<> check_subnets(const model::Network& draft, const model::View& view);

  // --- endpoints.cc ---
  struct NeedsBlock {
    model::Id network;
  };
  using Attached = std::variant<model::Endpoint, NeedsBlock>;
  Result<Attached> attach(const ConnectSpec& spec);
  Result<> check_connect(const ConnectSpec& spec, const model::Network& network,
                         const model::Workload& workload);
  Result<model::Endpoint> commit_endpoint(model::Endpoint endpoint,
                                          const model::Workload& workload);
  std::string next_interface(const model::Id& workload);
  Result<> check_service(const ConnectSpec& spec, const model::Network& network);
  // The addresses of a network that this node assigns from, as the stores say now.
  ipam::Pool& pool_of(const model::Network& network);
  Result<> join_local_service(const model::Endpoint& endpoint, Objects::Batch& batch);
  void leave_local_service(const model::Endpoint& endpoint, Objects::Batch& batch);
  Result<> detach(const model::Id& endpoint);
  Result<model::Workload> adopt_workload(const std::string& reference);
  void set_endpoint_state(const model::Id& endpoint, model::EndpointState state);
  void health_changed(const model::Id& endpoint, bool healthy);
  bool drain(const model::Id& workload);

  // --- workloads.cc ---
  Result<model::Workload> create_run(const RunSpec& spec);
  Result<> start_process(const model::Id& workload);
  void process_ended(const model::Id& workload, const runtime::ProcessId& process, int status);
  void schedule_restart(const model::Id& workload);
  void resume_workloads();
  Result<> erase_workload(const model::Id& workload);
  Result<> ensure_sandbox(const model::Workload& workload);
  std::string sandbox_path(const model::Id& workload) const;
  std::string workload_cgroup(const model::Id& workload) const;
  void undo_run(const model::Id& workload);

  // --- proxies.cc; on the caller's thread ---
  Result<> wait_for_proxy(const model::Id& workload, Deadline deadline);

  model::Time now() const;

  Settings settings_;
  Parts parts_{};
  Executor executor_;
  std::unique_ptr<Health> health_;
  std::unique_ptr<cluster::Prober> prober_;
  std::string prober_key_;  // what it was started with
  bool adopted_ = false;    // the kernel had this node's programs when we started

  std::optional<Objects> objects_;
  std::optional<cluster::SwarmState> swarm_;
  std::set<model::Id> unreachable_;
  driver::NodeFacts facts_;
  dataplane::HostState applied_;
  std::map<model::Id, ipam::Pool> pools_;  // by network; the first subnet's
  std::map<model::Id, std::chrono::milliseconds> restart_delay_;
  std::map<model::Id, std::chrono::steady_clock::time_point> started_at_;
  std::set<model::Id> stopping_;  // workloads being removed: not restarted
  bool retry_pending_ = false;
  bool started_ = false;

  std::mutex swarm_mutex_;
  std::condition_variable swarm_known_;
  bool swarm_told_ = false;  // swarm_changed() was called

  std::mutex view_mutex_;
  std::shared_ptr<const model::View> view_;
};

// 16 random hexadecimal digits.
model::Id new_id();

}  // namespace heddle::control
