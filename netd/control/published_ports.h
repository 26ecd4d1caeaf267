#pragma once
#include <string>
#include <vector>

#include "common/base/result.h"
#include "netd/model/objects.h"
#include "netd/model/table.h"

// Which ports of the host lead to which endpoint: what a request may ask for beside what others
// have. Pure.
namespace heddle::control {

using PublishedPorts = std::vector<model::PublishedPort>;

// `0.0.0.0:8080-8089->80-89/tcp`
std::string format(const model::PublishedPort& port);

// Whether two take one port of the host at one address.
bool overlap(const model::PublishedPort& a, const model::PublishedPort& b);

// Where one listens: its address, or the unspecified one of each family that the endpoint has.
std::vector<IpAddr> host_addresses_of(const model::PublishedPort& port,
                                      const model::Endpoint& endpoint);

// What can be said of a request by itself.
// Errors: `invalid`: a port of 0 or a range that leaves 65535, an address of a family that the
// endpoint does not have, two that overlap.
Result<> check_ports(const PublishedPorts& ports, const model::Endpoint& endpoint);

// Errors: `in_use`, naming the workload and the port, when another endpoint has one of them.
Result<> check_unpublished(const model::PublishedPort& port, const model::Id& endpoint,
                           const model::Table<model::Endpoint>& endpoints);

// `from` without `removed`, each of which must be in it. One without a host port means whichever
// leads to that port of the endpoint.
// Errors: `not_found`, naming it and what is published.
Result<PublishedPorts> without(PublishedPorts from, const PublishedPorts& removed);

}  // namespace heddle::control
