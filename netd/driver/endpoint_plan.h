#pragma once
#include "dataplane/intent/host_state.h"
#include "netd/driver/driver.h"

// What drivers share of the plans of endpoints. Pure.
namespace heddle::driver {

Prefix everywhere(Family family);  // 0.0.0.0/0, ::/0

// Where an endpoint that gives its sandbox the way out sends packets for elsewhere.
enum class WayOut {
  gateway,  // to its subnets' gateways; a subnet without one has no way out
  link,     // out of its interface, whatever the address
};

// The attachment as far as it does not depend on the driver: names, MAC, addresses, routes, rates
// and sysctls. Prefix lengths are those that the network's subnets have now, and an endpoint finds
// the other subnets of its families on its link.
dataplane::Attachment plan_attachment(const LocalEndpoint& local, const model::Network& network,
                                      WayOut way_out);

// The host's ports that lead to the endpoint: one entry for each port and family.
void plan_published(const LocalEndpoint& local, dataplane::HostState& into);

// The VLAN device that a parent is, if it is one of ours.
void plan_parent(const Parent& parent, dataplane::HostState& into);

// What a node needs to pass packets of a family on.
void plan_forwarding(Family family, const NodeFacts& facts, dataplane::HostState& into);

}  // namespace heddle::driver
