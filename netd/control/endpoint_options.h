#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "common/base/result.h"
#include "netd/control/daemon.h"

namespace heddle::control {

// What a connect asks of its interface, put together from its own fields and the options that
// docker's `--driver-opt` carries for them. Pure.
struct EndpointOptions {
  std::string interface;                       // "": the next ethN
  std::map<std::string, std::string> sysctls;  // as model::Endpoint::sysctls
  std::uint32_t weight = 1;                    // as model::Endpoint::weight
};

// Errors: `invalid`, naming the option and what is accepted: an unknown or contradicting one, an
// interface name that the kernel refuses, a sysctl of anything but the endpoint's own interface.
Result<EndpointOptions> read_endpoint_options(const ConnectSpec& spec);

// Whether an endpoint of a network may ask for such values at all, whoever else is there.
// Errors: `invalid`, naming the flag, the value and what is accepted.
Result<> check_endpoint_values(const ConnectSpec& spec, const model::Network& network);

// Whether the network takes such an endpoint of a workload of that kind.
// Errors: `invalid` for config-only networks and those of the drivers host and none; `denied` when
// only services may join; `invalid` for what its driver cannot do.
Result<> check_network_takes(const ConnectSpec& spec, const model::Network& network,
                             model::WorkloadKind kind);

// Whether ports of the host can lead into the network. Errors: `invalid` with the reason.
Result<> check_can_publish(const model::Network& network);

}  // namespace heddle::control
