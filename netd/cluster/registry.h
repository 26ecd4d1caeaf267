#pragma once
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
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
    model::Node node;        // id, name, addresses
    std::string key_digest;  // of its public key: a join that is repeated after a lost answer
  };
  // Errors: `conflict` when the name or the data address is another node's.
  Result<model::Node> admit(Admission admission, Deadline deadline);
  Result<> remove_node(model::Id node, Deadline deadline);

  // What a node says of itself.
  enum class Whole { no, yes };
  struct Report {
    std::uint64_t epoch = 0;
    std::vector<model::Endpoint> endpoints;
    std::vector<model::Id> removed;
    Whole whole = Whole::no;  // yes: its endpoints that are not in `endpoints` are gone
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

// A host name: letters, digits, '-', '.', '_'; at most 253. Errors: `invalid`.
Result<> check_node_name(const std::string& name);

// One node's report as changes of objects: endpoints, the services they make and unmake, and VIPs.
// Fills `draft` and returns what it refused. Pure.
std::vector<Registry::Refusal> draft_report(const Objects& objects, const model::Id& node,
                                            const Registry::Report& report, model::Time now,
                                            Draft& draft);

}  // namespace heddle::cluster
