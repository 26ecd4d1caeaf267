#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "netd/model/view.h"

namespace heddle::cluster {

// The swarm as this node last heard of it. Kept on disk, so that a node starts and works on when no
// manager answers.
struct SwarmState {
  model::Swarm swarm;
  model::Id self;
  std::uint64_t revision = 0;
  std::vector<model::Node> nodes;
  std::vector<model::Network> networks;    // swarm scope
  std::vector<model::Service> services;    // of those
  std::vector<model::Endpoint> endpoints;  // of those; this node's too, as the managers know them
  model::Blocks blocks;                    // of all nodes
};

// Where a node is now; what is absent is as before.
struct NodeAddresses {
  std::optional<IpAddr> own;   // that others know it by; of a manager it does not change
  std::optional<IpAddr> data;  // its VTEP
  friend bool operator==(const NodeAddresses&, const NodeAddresses&) = default;
};

// What this node alone says of itself. Whole each time: the session sends what changed, and all of
// it in one message after a reconnect, so that managers commit it in one transaction.
struct NodeReport {
  std::uint64_t epoch = 0;                 // model::Node::epoch
  std::vector<model::Endpoint> endpoints;  // of swarm networks on this node
  // Others than the managers know. To change them begins the session anew, from the new address.
  NodeAddresses addresses = {};
};

// This node's part in a swarm: its identity, its session with a manager and, on managers, the store
// (an etcd child), the CA and the node API that others join and report to.
// Threads:  any; calls block (run them off the control executor), callbacks come on a thread of its
//           own, one at a time, and must only hand over.
// Errors:   `conflict` when already in a swarm, or not in one; `denied` for a bad, rotated or
// expired
//           token, a wrong CA, or when this node is a worker and the call needs a manager (the text
//           names the managers); `unavailable` when no manager answers or quorum is lost.
class Cluster {
 public:
  struct Settings {
    std::string state_dir;  // <state>/swarm: keys (0600), certificates, last state, etcd's data
    std::string run_dir;
    std::string node_name;    // host name
    std::string etcd_binary;  // found in PATH when empty
    std::string etcd_cgroup;  // cgroup2 directory etcd is put in; empty: ours
  };
  struct Events {
    std::function<void(SwarmState)> on_state;  // at once when known from disk, then each change
    std::function<void(bool connected)> on_session;  // with any manager
    // An endpoint of report() that the managers did not take, and why; it is told again every few
    // seconds, so this may repeat.
    std::function<void(model::Id endpoint, Error why)> on_refused = {};
  };
  // Resumes what the state directory says: nothing, worker or manager (etcd is started).
  static Result<std::unique_ptr<Cluster>> open(Settings settings, Events events);
  virtual ~Cluster() = default;  // stops etcd gracefully; leaves state on disk

  enum class Role { none, worker, manager };
  virtual Role role() const = 0;

  struct InitRequest {
    IpAddr advertise;
    std::uint16_t api_port = 7373;
    IpAddr data_address;
    std::uint16_t vxlan_port = 4789;
    Prefix pool;
    int subnet_length = 20;
  };
  virtual Result<model::Node> init(InitRequest request, Deadline deadline) = 0;
  // On a manager whose swarm lost its quorum: goes on with what it has, as the only manager.
  virtual Result<model::Node> force_new_cluster(Deadline deadline) = 0;

  struct JoinRequest {
    std::string token;
    std::string manager;  // HOST:PORT
    IpAddr advertise;
    std::uint16_t api_port = 7373;
    IpAddr data_address;
  };
  // With a manager's token this returns when the node acts as one. `timeout`: it joined, and goes
  // on becoming a manager.
  virtual Result<model::Node> join(JoinRequest request, Deadline deadline) = 0;

  // Ends the membership and forgets it on disk. The last manager needs force, since the swarm ends
  // with it, and so does one without which the others have no quorum. A node that cannot reach a
  // manager leaves all the same when forced.
  enum class Force { no, yes };
  virtual Result<> leave(Force force, Deadline deadline) = 0;

  struct Token {
    std::string token;    // HDLTKN-1-<CA digest>-<secret>
    std::string manager;  // this manager's HOST:PORT, for the command to paste
  };
  enum class Rotate { no, yes };
  virtual Result<Token> join_token(model::NodeRole role, Rotate rotate,
                                   std::optional<std::chrono::seconds> ttl, Deadline deadline) = 0;

  // --- nodes; to change them on managers only
  // What a node is to be; it becomes it by itself. Returns when it is, or at the deadline.
  // Errors: `not_found`; `in_use` when the others would have no quorum.
  virtual Result<model::Node> set_role(model::Id node, model::NodeRole role, Deadline deadline) = 0;
  struct NodeChange {
    std::optional<model::Availability> availability;
    model::Labels labels;  // set
    std::vector<std::string> removed_labels;
  };
  virtual Result<model::Node> update_node(model::Id node, NodeChange change, Deadline deadline) = 0;
  // Takes out a node that is down; with force, any other one. What it runs stays on its host.
  virtual Result<> remove_node(model::Id node, Force force, Deadline deadline) = 0;
  // How the managers are, each asked by this node.
  struct ManagerState {
    model::Id node;
    enum class Standing { unreachable, reachable, leader } standing = Standing::unreachable;
  };
  virtual std::vector<ManagerState> managers(Deadline deadline) = 0;

  // Swarm-wide desired state; managers only. `create_network` assigns what the draft leaves open:
  // id, VNI, and a subnet from the pool that overlaps none of the swarm's nor `avoid`.
  virtual Result<model::Network> create_network(model::Network draft, std::vector<Prefix> avoid,
                                                Deadline deadline) = 0;
  // Makes of `before`, which is the network as this node knows it, `after`: other options, labels,
  // and a subnet that grew. `conflict` when somebody changed it meanwhile.
  virtual Result<model::Network> update_network(model::Network before, model::Network after,
                                                std::vector<Prefix> avoid, Deadline deadline) = 0;
  // `in_use` while it has endpoints, naming some.
  virtual Result<> remove_network(model::Id network, Deadline deadline) = 0;

  // A service that outlives its backends; network, name, ports and labels are the caller's. Without
  // a VIP its name leads to the backends. Errors: `exists`.
  enum class Vip { no, yes };
  virtual Result<model::Service> create_service(model::Service wanted, Vip vip,
                                                Deadline deadline) = 0;
  struct ServiceChange {
    model::Labels labels;  // set
    std::vector<std::string> removed_labels;
  };
  virtual Result<model::Service> update_service(model::Id service, ServiceChange change,
                                                Deadline deadline) = 0;
  // `in_use` while it has backends.
  virtual Result<> remove_service(model::Id service, Deadline deadline) = 0;

  // A block of addresses of a swarm network for this node, through whichever manager answers; small
  // subnets and exhausted ones give a single address (/32). `exhausted` when nothing is left.
  virtual Result<model::AddressBlock> claim_block(model::Id network, Deadline deadline) = 0;
  virtual Result<> release_block(model::AddressBlock block, Deadline deadline) = 0;

  // Keeps the managers told; never blocks, survives reconnects. Services are made and unmade by the
  // managers from the endpoints that name them (their VIPs come out of the network's subnet).
  virtual void report(NodeReport report) = 0;
};

}  // namespace heddle::cluster
