#pragma once
#include <optional>
#include <vector>

#include "dataplane/intent/host_state.h"
#include "dataplane/intent/operation.h"
#include "netd/driver/driver.h"
#include "netd/model/index.h"
#include "netd/model/view.h"

// From what this node knows to what its kernel should hold. Pure. Threads: any.
namespace heddle::reconcile {

// Everything. A network is present on this node when it has an endpoint here whose sandbox exists;
// only present networks, their services and their addresses are planned. A network whose driver is
// unknown is left out (it was refused when it was made).
dataplane::HostState plan(const model::View& view, const driver::NodeFacts& facts,
                          const driver::DriverSet& drivers);

// One moment that was planned, or is to be. Borrowed.
struct Moment {
  const model::View& view;
  const driver::NodeFacts& facts;
  const model::Index& index;  // of the view
};

// The fast path: the steps from plan(before) to plan(after), without looking at the kernel, where
// `change` is what differs between the views: attachments and addresses of what changed and of
// others in the same sandboxes, its services, memberships and interceptions; all of a network when
// that appears on this node, changes or leaves it. Costs what
// it plans. Nothing when only two whole plans can tell: the swarm's nodes changed, or the facts
// other than missing sandboxes, or a network has another number.
std::optional<std::vector<dataplane::Operation>> plan_change(const Moment& before,
                                                             const Moment& after,
                                                             const driver::DriverSet& drivers,
                                                             const model::ViewChange& change);

// Whether a new network fits its driver and the networks that exist.
// Errors: those of the driver; `invalid` when the scope is not the driver's; `conflict` when
// another network has the same device and they do not go together.
Result<> check_network(const model::Network& network, const model::View& view,
                       const driver::NodeFacts& facts, const driver::DriverSet& drivers);

// Whether a new endpoint can be as it is in its network, apart from its addresses.
// Errors: those of Driver::check_endpoint; `not_found` when the network is gone.
Result<> check_endpoint(const model::Endpoint& endpoint, const model::View& view,
                        const driver::DriverSet& drivers);

}  // namespace heddle::reconcile
