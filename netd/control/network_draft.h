#pragma once
#include "netd/control/daemon.h"
#include "netd/driver/driver.h"

// From a request to a network, as far as no state but the View is needed. Pure.
namespace heddle::control {

// The network that is asked for: names checked, options under their own names, each gateway, range
// and reserved address with its subnet, what a configuration says filled in. Without an id and
// without the subnets that have to be chosen: see wants_subnet().
// Errors: `invalid` naming the value and what is accepted; `exists` for the name; `not_found` for
// the configuration.
Result<model::Network> draft_network(const NetworkSpec& spec, const driver::DriverSet& drivers,
                                     const model::View& view);

// Whether a subnet of the family is to be chosen for the draft.
bool wants_subnet(const NetworkSpec& spec, const model::Network& draft,
                  const driver::DriverSet& drivers, driver::Family family);

// The gateways that nobody gave, where the driver has them.
void fill_gateways(model::Network& network, const driver::DriverSet& drivers);

// Names of networks made from a configuration.
std::vector<std::string> networks_from(const model::View& view, const std::string& configuration);

// `a, b and 3 more`.
std::string join_names(const std::vector<std::string>& names);

// Who has endpoints, load balancers or networks in the network, by name.
std::vector<std::string> users_of(const model::View& view, const model::Network& network);

}  // namespace heddle::control
