#pragma once
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "netd/cluster/node_client.h"
#include "netd/cluster/registry.h"
#include "netd/cluster/replica.h"
#include "netd/store/etcd_members.h"

namespace heddle::cluster {

inline constexpr std::uint16_t kEtcdPeerPort = 7380;
std::string peer_url(const IpAddr& address);

// Keeps etcd's members what the store says of the nodes, on the manager that leads; on every
// manager it watches whether there is a quorum.
//
//   node in the store | member of etcd         | the leading manager
//   ------------------|------------------------|---------------------------------------------
//   manager           | none                   | waits: the node asks for a place (admit)
//   manager           | learner that has run   | makes it a voter, once it is in sync
//   manager           | voter                  | nothing
//   worker, or absent | any                    | removes it; itself: hands on the lead first
//
// It also ends sessions in the name of managers that no longer answer.
// Threads: one of its own; calls block and may come from any.
class Voters {
 public:
  struct Settings {
    model::Id self;
    Credentials credentials;  // this node's, for asking other managers
  };
  // The references outlive this.
  Voters(Settings settings, store::EtcdMembers& members, store::Store& store, Registry& registry,
         const Replica& replica);
  Voters(const Voters&) = delete;
  Voters& operator=(const Voters&) = delete;
  ~Voters();
  void stop();  // the thread ends, and waits do

  // As this manager's etcd said last. Without a leader there is no quorum.
  store::EtcdMembers::Status status() const;
  // How long there has been no leader.
  std::chrono::steady_clock::duration lost_for() const;

  // Makes a node a learner, whatever it was before. Returns etcd's --initial-cluster for it.
  // Errors: `unavailable` while etcd cannot take one; trying again is right.
  Result<std::string> admit(const model::Node& node, Deadline deadline);
  // Errors: `in_use` when the swarm would have no quorum without that manager, naming who is
  // missing.
  Result<> check_spare(const model::Id& node, Deadline deadline) const;
  Result<bool> is_member(const model::Id& node, Deadline deadline) const;
  enum class Becomes { voter, none };
  // Errors: `timeout`.
  Result<> wait_until(const model::Id& node, Becomes becomes, Deadline deadline) const;

  // An error of the store, in words when the reason is that the quorum is lost.
  Error explain(Error error) const;

 private:
  using Members = std::vector<store::EtcdMembers::Member>;
  void run();
  void look();
  void lead();
  void settle(const Members& members);
  void take_out(const store::EtcdMembers::Member& member, const Members& members);
  void end_orphaned_sessions();
  Result<> check_not_anothers(const store::EtcdMembers::Member& member,
                              const model::Node& node) const;
  std::vector<model::Node> nodes() const;

  const Settings settings_;
  store::EtcdMembers& members_;
  store::Store& store_;
  Registry& registry_;
  const Replica& replica_;

  mutable std::mutex mutex_;
  mutable std::condition_variable stop_;
  bool stopping_ = false;
  store::EtcdMembers::Status status_;
  std::chrono::steady_clock::time_point led_;  // when there was a leader last

  // The thread's.
  bool had_leader_ = true;
  std::chrono::steady_clock::time_point next_ask_;
  std::map<model::Id, std::chrono::steady_clock::time_point> answered_;  // managers, while leading
  std::string trouble_;  // why a member could not be taken out, as it was logged
  std::thread thread_;
};

}  // namespace heddle::cluster
