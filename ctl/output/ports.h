#pragma once
#include <iosfwd>
#include <vector>

#include "netd/client/types.h"

// Published ports as `docker port` shows them.
namespace heddle::output {

// `80/tcp -> 0.0.0.0:8080`, a line for each port and family, sorted by the workload's port.
void print_ports(std::ostream& out, const std::vector<model::PublishedPort>& ports);

// Those of `published` that were not asked for by number: the daemon chose their host's ports.
std::vector<model::PublishedPort> chosen_of(const std::vector<model::PublishedPort>& published,
                                            const std::vector<model::PublishedPort>& asked);

}  // namespace heddle::output
