#pragma once
// Internal to this folder: the one Cluster. cluster.cc has its calls, upkeep.cc what it does by
// itself.
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "netd/api/node.pb.h"
#include "netd/cluster/cluster.h"
#include "netd/cluster/link.h"
#include "netd/cluster/manager.h"
#include "netd/cluster/membership.h"
#include "netd/cluster/notifier.h"

namespace heddle::cluster {

class ClusterImpl final : public Cluster {
 public:
  ClusterImpl(Settings settings, Events events)
      : settings_(std::move(settings)), dir_(settings_.state_dir), notifier_(std::move(events)) {}
  ~ClusterImpl() override { stop_all(); }

  Result<> resume();

  Role role() const override;
  Result<model::Node> init(InitRequest request, Deadline deadline) override;
  Result<model::Node> force_new_cluster(Deadline deadline) override;
  Result<model::Node> join(JoinRequest request, Deadline deadline) override;
  Result<> leave(Force force, Deadline deadline) override;
  Result<Token> join_token(model::NodeRole role, Rotate rotate,
                           std::optional<std::chrono::seconds> ttl, Deadline deadline) override;
  Result<model::Node> set_role(model::Id node, model::NodeRole role, Deadline deadline) override;
  Result<model::Node> update_node(model::Id node, NodeChange change, Deadline deadline) override;
  Result<> remove_node(model::Id node, Force force, Deadline deadline) override;
  std::vector<ManagerState> managers(Deadline deadline) override;
  Result<model::Network> create_network(model::Network draft, std::vector<Prefix> avoid,
                                        Deadline deadline) override;
  Result<model::Network> update_network(model::Network before, model::Network after,
                                        std::vector<Prefix> avoid, Deadline deadline) override;
  Result<> remove_network(model::Id network, Deadline deadline) override;
  Result<model::Service> create_service(model::Service wanted, Vip vip, Deadline deadline) override;
  Result<model::Service> update_service(model::Id service, ServiceChange change,
                                        Deadline deadline) override;
  Result<> remove_service(model::Id service, Deadline deadline) override;
  Result<model::AddressBlock> claim_block(model::Id network, Deadline deadline) override;
  Result<> release_block(model::AddressBlock block, Deadline deadline) override;
  void report(NodeReport report) override;

 private:
  Result<> check_free() const;
  Result<model::Node> init_here(const InitRequest& request, Deadline deadline);
  Result<model::Node> join_there(const JoinRequest& request, Deadline deadline);
  Result<std::string> join_key();
  Result<> store_joined(const node::v1::JoinReply& reply, const std::string& root,
                        const std::string& key, const Membership& membership);
  bool is_last_manager() const;
  bool is_self(const model::Id& node) const;
  Result<std::shared_ptr<Link>> link() const;
  Result<std::shared_ptr<Manager>> manager() const;
  template <class Call>
  auto managed(Call call) -> decltype(call(std::declval<Manager&>()));
  Result<> wait_for_manager(Deadline deadline);
  Result<Credentials> credentials() const;

  // --- upkeep.cc
  Result<> start_link(const Membership& membership);
  void heard(const SwarmState& state);
  void start_upkeep();
  // What this node is on disk becomes what the managers last said that it is to be.
  bool keep(const Membership& membership, std::optional<model::NodeRole> wanted);
  bool keep_manager(const Membership& membership);
  Result<> start_manager(const Membership& membership, Deadline deadline);
  bool keep_worker(const Membership& membership);
  Result<> step_up(Membership membership);
  Result<> step_down(Membership membership);
  bool lost_its_store(const Membership& membership) const;
  Result<Membership> change_membership(const std::function<void(Membership&)>& change);
  void save_state();
  void stop_all();
  std::shared_ptr<Manager> take_manager();
  bool interrupted(model::NodeRole role) const;

  const Settings settings_;
  const SystemClock clock_;
  std::mutex changing_;  // held by init, join, leave: one at a time
  std::mutex tending_;   // held while the manager is started or stopped
  std::mutex saving_;    // held while the membership is written
  MembershipDir dir_;
  Notifier notifier_;

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool stopping_ = false;
  bool forcing_ = false;  // force_new_cluster() wants `tending_`
  std::optional<Membership> membership_;
  std::optional<model::NodeRole> wanted_;  // of this node, as the managers said last
  std::vector<model::Node> managers_;      // of the swarm, likewise
  std::shared_ptr<Link> link_;
  std::shared_ptr<Manager> manager_;  // absent while it starts
  std::string not_manager_yet_;       // why the last attempt to be one failed
  std::optional<NodeReport> report_;  // the last, for a link that comes
  std::thread upkeep_;                // starts a manager, renews certificates, changes the role
};

std::string own_target(const Membership& membership);  // HOST:PORT of this node's API

}  // namespace heddle::cluster
