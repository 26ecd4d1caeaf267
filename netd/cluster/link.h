#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "netd/cluster/cluster.h"
#include "netd/cluster/membership.h"

namespace heddle::cluster {

// A node's tie to its swarm: one session with whichever manager answers, begun again with the next
// one when it breaks, and calls to managers besides. Every node has one, managers too.
//
//   state      | event                    | next
//   -----------|--------------------------|-------------------------------------------
//   seeking    | a manager takes the hello| syncing
//   syncing    | first whole state        | up; on_session(true)
//   up         | state, answer, heartbeat | up
//   any        | error, 3 s of silence    | seeking, after 50 ms to 1 s; on_session(false)
//   any        | `denied` by a manager    | seeking, after 5 s: the node was removed
//
// Threads: a session thread, a writer while connected; on_* are called on these and must only hand
// over. Calls block.
class Link {
 public:
  struct Settings {
    model::Id swarm;
    model::Id node;
    std::string root_pem;
    std::string certificate_pem;
    std::string key_pem;
    std::string address;                // HOST:PORT of this node's own API, as a manager
    std::vector<std::string> managers;  // HOST:PORT
    std::string last_state;             // bytes of Events::on_save; empty: none
  };
  struct Events {
    std::function<void(SwarmState)> on_state;
    std::function<void(bool up)> on_session;
    std::function<void(model::Id endpoint, Error)> on_refused;
    // What to keep on disk, as a function to call when there is time, from another thread.
    std::function<void()> on_dirty;
  };
  static std::unique_ptr<Link> start(Settings settings, Events events);
  virtual ~Link() = default;

  virtual void report(NodeReport report) = 0;
  virtual std::string save() const = 0;  // what last_state takes; empty when nothing is known
  virtual std::vector<std::string> managers() const = 0;
  virtual bool up() const = 0;
  // A manager became reachable just now: tries again without waiting.
  virtual void retry() = 0;

  virtual Result<model::AddressBlock> claim_block(const model::Id& network, Deadline deadline) = 0;
  virtual Result<> release_block(const model::AddressBlock& block, Deadline deadline) = 0;
  // Asked of other managers than this node.
  virtual Result<> leave(Deadline deadline) = 0;
  // What makes a manager of this node.
  struct Promotion {
    ManagerKeys keys;
    std::string initial_cluster;
  };
  virtual Result<Promotion> promote(Deadline deadline) = 0;
  // A new certificate for the key of a request. `unavailable` while this node, which is to be a
  // worker again, is still one of etcd's members.
  virtual Result<std::string> renew(const std::string& request_pem, Deadline deadline) = 0;
};

}  // namespace heddle::cluster
