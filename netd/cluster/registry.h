#pragma once
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "netd/cluster/address_plan.h"
#include "netd/cluster/cluster.h"
#include "netd/cluster/draft.h"
#include "netd/cluster/replica.h"
#include "netd/model/objects.h"
#include "netd/store/store.h"

namespace heddle::cluster {

// What a manager writes: every call is one compare-and-swap transaction on the swarm's objects,
// made from the Replica and made again when somebody else was faster. So any number of managers may
// work at once, and none holds state of its own. Threads: any; calls block. Errors:  what the
// header of Cluster says, and those of store::Store.
class Registry {
 public:
  Registry(store::Store& store, Replica& replica, const Clock& clock)
      : store_(store), replica_(replica), clock_(clock) {}

  // The first objects of a new swarm, in one transaction. Before a Replica exists.
  static Result<> found(store::Store& store, const model::Swarm& swarm, const model::Node& first,
                        const std::string& key_digest, Deadline deadline);

  // --- nodes
  struct Admission {
    model::Node node;        // id, name, role, addresses
    std::string key_digest;  // of its public key: a join that is repeated after a lost answer
  };
  // Errors: `conflict` when the name or the data address is another node's.
  Result<model::Node> admit(Admission admission, Deadline deadline);
  Result<model::Node> find(const model::Id& node) const;  // as the replica has it; `not_found`
  // Errors: `in_use` for the last manager.
  Result<> remove_node(model::Id node, Deadline deadline);
  // Errors: `not_found`; `in_use` when no manager would be left.
  Result<model::Node> set_role(model::Id node, model::NodeRole role, Deadline deadline);
  Result<model::Node> update_node(model::Id node, Cluster::NodeChange change, Deadline deadline);
  // No node but this one is a manager any more.
  Result<> make_sole_manager(model::Id node, Deadline deadline);

  // What a node says of itself.
  enum class Whole { no, yes };
  struct Report {
    std::uint64_t epoch = 0;
    std::vector<model::Endpoint> endpoints;
    std::vector<model::Id> removed;
    Whole whole = Whole::no;  // yes: its endpoints that are not in `endpoints` are gone
    NodeAddresses addresses = {};
  };
  struct Refusal {
    model::Id endpoint;
    Error error;
  };
  struct Outcome {
    store::Revision revision = 0;
    std::vector<Refusal> refused;  // the rest is committed
  };
  // `session` is a new id that the node's session goes by from now on.
  Result<Outcome> begin_session(model::Id node, std::string session, std::optional<Report> report,
                                Deadline deadline);
  Result<Outcome> report(model::Id node, Report changes, Deadline deadline);
  // Marks the node down, unless it has begun another session since.
  Result<> end_session(model::Id node, std::string session, Deadline deadline);

  // --- networks
  Result<model::Network> create_network(model::Network draft, std::vector<Prefix> avoid,
                                        Deadline deadline);
  Result<model::Network> update_network(model::Network before, model::Network after,
                                        std::vector<Prefix> avoid, Deadline deadline);
  Result<> remove_network(model::Id network, Deadline deadline);
  Result<model::AddressBlock> claim_block(model::Id network, model::Id node, Deadline deadline);
  Result<> release_block(model::AddressBlock block, Deadline deadline);

  // --- services; others come and go with the endpoints that name them, see draft_report()
  Result<model::Service> create_service(model::Service wanted, Cluster::Vip vip, Deadline deadline);
  Result<model::Service> update_service(model::Id service, Cluster::ServiceChange change,
                                        Deadline deadline);
  Result<> remove_service(model::Id service, Deadline deadline);

  // --- join tokens; here only their secrets
  Result<std::string> token_secret(model::NodeRole role, Deadline deadline);
  Result<std::string> rotate_token(model::NodeRole role, std::optional<std::chrono::seconds> ttl,
                                   Deadline deadline);
  // Whose token it is. Errors: `denied`, saying whether it expired.
  Result<model::NodeRole> check_secret(const std::string& secret, Deadline deadline);

 private:
  // Fills the draft from the objects; an error ends the attempt for good.
  using Fill = std::function<Result<>(const Objects&, Draft&)>;
  Result<store::Revision> transact(const Fill& fill, Deadline deadline);

  store::Store& store_;
  Replica& replica_;
  const Clock& clock_;
};

// What is assigned of a network's subnet, and to which services.
Allocation allocation_of(const Objects& objects, const model::Network& network);
std::set<IpAddr> vips_of(const Objects& objects, const model::Id& network);
// Gives the service a VIP, which is then in both.
Result<> draft_vip(Allocation& allocated, std::set<IpAddr>& taken, model::Service& service,
                   Draft& draft);

// A host name: letters, digits, '-', '.', '_'; at most 253. Errors: `invalid`.
Result<> check_node_name(const std::string& name);

// One node's report as changes of objects: endpoints, the services they make and unmake, and VIPs.
// Fills `draft` and returns what it refused. Pure.
std::vector<Registry::Refusal> draft_report(const Objects& objects, const model::Id& node,
                                            const Registry::Report& report, model::Time now,
                                            Draft& draft);

}  // namespace heddle::cluster
