#pragma once
#include <vector>

#include "dataplane/intent/host_state.h"
#include "dataplane/intent/operation.h"
#include "netd/driver/driver.h"
#include "netd/model/view.h"

// From what this node knows to what its kernel should hold. Pure. Threads: any.
namespace heddle::reconcile {

// Everything. A network is present on this node when it has an endpoint here whose sandbox exists;
// only present networks, their services and their addresses are planned. A network whose driver is
// unknown is left out (it was refused when it was made).
dataplane::HostState plan(const model::View& view, const driver::NodeFacts& facts,
                          const driver::DriverSet& drivers);

// The fast path: the steps from plan(before) to plan(after) for one endpoint that was added,
// changed or removed, without looking at the kernel: its attachment and its sandbox's others, its
// address, its service, its sandbox's membership and interception; all of its network when that
// appears on this node or leaves it. Costs a walk over the view's endpoints, no more.
std::vector<dataplane::Operation> plan_endpoint(const model::View& before, const model::View& after,
                                                const driver::NodeFacts& facts,
                                                const driver::DriverSet& drivers,
                                                const model::Id& endpoint);

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
