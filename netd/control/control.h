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
#include "netd/control/host_facts.h"
#include "netd/control/objects.h"
#include "netd/control/resolvers.h"
#include "netd/driver/driver.h"
#include "netd/engine/engines.h"
#include "netd/holder/keeper.h"
#include "netd/ipam/network_pools.h"
#include "netd/ipam/subnet.h"
#include "netd/mesh/mesh.h"
#include "netd/model/index.h"
#include "netd/runtime/runtime.h"

namespace heddle::control {

// The node: its one writer of state. Operations change objects, `refresh` turns objects into a
// View, and what differs from the View before into kernel operations, names, health checks, proxies
// and a report to the managers; `audit` compares with the kernel itself. Threads:
// operations from any; everything private runs on the control executor, apart from what
//          waits for managers, which runs on the caller's thread between two visits to it.
class Control final : public Daemon {
 public:
  struct Settings {
    std::string state_dir;
    std::string run_dir;
    std::string cgroup;  // cgroup2 directory that workloads' and proxies' cgroups go below
    std::string node_name;
    std::vector<Prefix> local_pools;  // without an IPv6 one, a unique local prefix of our own
    int local_subnet_length = 20;     // of IPv4 subnets; IPv6 ones are /64
    std::vector<Prefix> never_choose;
    // What the kernel has of what drivers ask for.
    struct KernelHas {
      bool macvlan = true;
      bool ipvlan = true;
      bool vlan = true;
    } kernel_has = {};
    std::function<Result<HostSurvey>()> survey_host = control::survey_host;
    std::function<bool(const IpAddr&)> has_address = control::is_host_address;
    std::function<Result<std::vector<HostAddress>>()> host_addresses = control::host_addresses;
    std::chrono::milliseconds audit_interval{5000};
    // Chains of others that drop by default what this host forwards: `ip filter FORWARD`.
    std::function<Result<std::vector<std::string>>()> forward_drops = [] {
      return Result<std::vector<std::string>>();
    };
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
    engine::Engines* engines;
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
  void container_changed(engine::Sighting seen);

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
  std::vector<std::string> running_containers(Deadline deadline) override;
  Result<model::Service> create_service(ServiceSpec spec, Deadline deadline) override;
  Result<model::Service> update_service(std::string service, cluster::Cluster::ServiceChange change,
                                        Deadline deadline) override;
  Result<> remove_service(std::string service, Deadline deadline) override;
  Result<model::Node> swarm_init(SwarmInit request, Deadline deadline) override;
  Result<model::Node> swarm_join(SwarmJoin request, Deadline deadline) override;
  Result<> swarm_leave(Force force, Deadline deadline) override;
  Result<cluster::Cluster::Token> join_token(model::NodeRole role, cluster::Cluster::Rotate rotate,
                                             std::optional<std::chrono::seconds> ttl,
                                             Deadline deadline) override;
  Result<model::Node> set_node_role(std::string node, model::NodeRole role,
                                    Deadline deadline) override;
  Result<model::Node> update_node(std::string node, cluster::Cluster::NodeChange change,
                                  Deadline deadline) override;
  Result<> remove_node(std::string node, Force force, Deadline deadline) override;
  std::vector<cluster::Cluster::ManagerState> managers(Deadline deadline) override;
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
  // `change`: what differs from the last view, at a cost that follows from it. `whole`: everything,
  // against what was applied.
  enum class Reach { change, whole };
  std::vector<Failure> refresh(Reach reach = Reach::change);
  std::vector<dataplane::Operation> plan_whole(const model::View& view);
  void apply(const std::vector<dataplane::Operation>& operations, std::vector<Failure>& failures);
  void update_facts(const model::View& view);
  // The same for the sandboxes of these workloads alone.
  void update_sandboxes(const model::View& before, const model::View& after,
                        const std::set<model::Id>& workloads);
  void follow_whole(const std::shared_ptr<const model::View>& view);
  struct Touched;
  struct Seen {
    const model::View& view;
    const model::Index& index;
  };
  static Touched touched_by(const Seen& before, const Seen& after);
  void follow_change(const std::shared_ptr<const model::View>& view, const Touched& touched);
  std::optional<Health::Check> check_of(const model::View& view, const model::Endpoint& endpoint);
  void update_prober(const model::View& view);
  void report_to_managers(const model::View& view);
  void retry_later();
  void audit();
  void release_vanished();

  // --- moved.cc ---
  std::optional<IpAddr> moved_to(const IpAddr& address, std::string& home);
  void follow_addresses();

  // --- networks.cc ---
  // Reads the host anew, into facts_. The routes that are not over our own devices.
  Result<std::vector<ipam::HostRoute>> learn_host();
  bool is_ours(const std::string& device) const;
  // What a new subnet must keep clear of; `except` is left out.
  ipam::Taken taken(const model::View& view, std::vector<ipam::HostRoute> routes,
                    const model::Id& except) const;
  // Checked whole, but neither stored nor given an id; `avoid`: what the swarm shall not choose.
  Result<model::Network> plan_network(const NetworkSpec& spec, std::vector<Prefix>& avoid);
  Result<> choose_subnet(driver::Family family, const ipam::Taken& taken, model::Network& draft);
  Result<Prefix> unique_local_pool();
  Result<model::Network> store_network(model::Network network);

  // --- network_update.cc ---
  struct NetworkChange {
    model::Network before, after;
    std::vector<Prefix> avoid;
  };
  Result<NetworkChange> plan_update(const NetworkUpdate& update);
  Result<> change_subnets(const NetworkUpdate& update, NetworkChange& change);
  Result<std::vector<model::Endpoint>> follow_subnets(const model::Network& network);
  Result<> store_update(const NetworkChange& change);

  // --- network_use.cc ---
  // What no plan can mend: sentences for verify().
  std::vector<std::string> host_conflicts();
  std::vector<std::string> host_notes(const dataplane::HostState& wanted);

  // --- addresses.cc ---
  // An address of a network that somebody had.
  struct Held {
    model::Id network;
    IpAddr address;
  };
  struct KnownAddresses {
    ipam::NetworkPools pools;
    std::uint64_t as_of = 0;  // cluster::SwarmState::revision
  };
  // The addresses of a network that this node assigns from, as the stores say now.
  ipam::NetworkPools& pools_of(const model::Network& network);
  void fill_pools(const model::Id& network, ipam::NetworkPools& pools);
  Result<> check_not_elsewhere(const IpAddr& address, const model::Network& network);
  Result<> take_addresses(const ConnectSpec& spec, const model::Network& network,
                          ipam::Lease& lease, model::Endpoint& endpoint);
  Result<> choose_mac(const ConnectSpec& spec, const model::Network& network,
                      model::Endpoint& endpoint);
  Result<> check_link_local_free(const std::vector<IpAddr>& addresses,
                                 const model::Network& network);
  void rest_address(const Held& address, Objects::Batch& batch);
  void give_up_addresses(const std::vector<Held>& addresses);
  void forget_released_later();

  // --- services.cc ---
  // Fills in the ports of a declared service where none are given.
  Result<> check_service(ConnectSpec& spec, const model::Network& network);
  Result<model::Service> declare_local(model::Service service, cluster::Cluster::Vip vip);
  Result<> withdraw_local(const model::Service& service);
  // The service that this made, if it is the first backend of one.
  Result<std::optional<model::Id>> join_local_service(const model::Endpoint& endpoint,
                                                      ipam::Lease& lease, Objects::Batch& batch);
  void leave_local_service(const model::Endpoint& endpoint, Objects::Batch& batch,
                           std::vector<Held>& held);

  // --- published.cc ---
  Result<model::Endpoint> change_published(const PublishSpec& spec);
  Result<model::Endpoint> find_published(const PublishSpec& spec);
  // `kept` and what is added to it, with the ports of the host that were left to us.
  Result<std::vector<model::PublishedPort>> resolve_published(
      const model::Endpoint& endpoint, std::vector<model::PublishedPort> kept,
      const std::vector<model::PublishedPort>& added);

  // --- endpoints.cc ---
  struct NeedsBlock {
    model::Id network;
  };
  using Attached = std::variant<model::Endpoint, NeedsBlock>;
  // `container`: as its engine just showed it, when the workload is one.
  Result<Attached> attach(const ConnectSpec& spec,
                          const std::optional<engine::Sighting>& container);
  // `interfaces`: those that others have in its sandbox.
  Result<Attached> attach_workload(ConnectSpec spec, const model::Workload& workload,
                                   const std::set<std::string>& interfaces);
  Result<> check_connect(ConnectSpec& spec, const std::string& interface,
                         const model::Network& network, const model::Workload& workload);
  Result<model::Endpoint> commit_endpoint(model::Endpoint endpoint, const model::Workload& workload,
                                          ipam::Lease& lease);
  // What kept the kernel from having this endpoint as it should be.
  std::optional<Error> failure_of(const std::vector<Failure>& failures,
                                  const model::Endpoint& endpoint,
                                  const model::Workload& workload) const;
  std::string next_interface(const model::Id& workload, std::set<std::string> taken);
  // Takes one out, with its service if it was the last. `held`: what is to be given up when that is
  // stored.
  void remove_endpoint(const model::Endpoint& endpoint, Objects::Batch& batch,
                       std::vector<Held>& held);
  Result<> detach(const model::Endpoint& endpoint);
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
  // In errors: its name, or what it runs when that was made up.
  static std::string called(const model::Workload& workload);
  void undo_run(const model::Id& workload);

  // --- containers.cc ---
  // On the caller's thread: the engine is asked. Nothing when no container is meant.
  Result<std::optional<engine::Sighting>> find_container(const std::string& reference,
                                                         Deadline deadline);
  const model::Workload* known_container(const engine::Sighting& seen) const;
  std::string container_name(const engine::Sighting& seen, const model::Id& workload) const;
  void describe_container(const engine::Sighting& seen, model::Workload& workload) const;
  Result<model::Workload> adopt_container(const engine::Sighting& seen);
  void container_seen(const engine::Sighting& seen);
  void settle_container(const model::Workload& before, const model::Workload& workload,
                        bool withheld);
  void watch_container(const model::Workload& workload);
  void container_ended(const model::Id& workload, const runtime::ProcessId& process);
  void release_sandbox(const std::string& sandbox);
  void resume_containers();
  void follow_containers();

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
  cluster::NodeAddresses moved_;  // where this node is, when that is not where it joined
  std::string own_home_;          // the device that its addresses were seen on last
  std::string data_home_;
  std::string address_trouble_;  // as it was logged
  driver::NodeFacts facts_;
  driver::NodeFacts planned_facts_;            // what the last plan was made with
  dataplane::HostState applied_;               // by operations that succeeded, or as observed
  bool in_doubt_ = false;                      // an operation failed that may have taken effect
  std::map<model::Id, KnownAddresses> pools_;  // by network
  bool forget_pending_ = false;
  std::map<model::Id, std::chrono::milliseconds> restart_delay_;
  std::map<model::Id, std::chrono::steady_clock::time_point> started_at_;
  std::map<model::WorkloadKind, std::set<std::string>> followed_;  // containers, by engine
  std::set<model::Id> stopping_;  // workloads being removed: not restarted
  bool retry_pending_ = false;
  bool started_ = false;

  std::mutex swarm_mutex_;
  std::condition_variable swarm_known_;
  bool swarm_told_ = false;  // swarm_changed() was called

  model::Index index_;  // of view_; the executor's
  std::mutex view_mutex_;
  std::shared_ptr<const model::View> view_;  // what was planned last
};

// 16 random hexadecimal digits.
model::Id new_id();

}  // namespace heddle::control
