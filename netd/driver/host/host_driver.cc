#include "netd/driver/host/host_driver.h"

namespace heddle::host {

std::span<const driver::OptionHelp> HostDriver::options() const {
  return {};
}

bool HostDriver::has_gateway(const model::Network& /*network*/, driver::Family /*family*/) const {
  return false;
}

Result<> HostDriver::validate(const model::Network& network,
                              const driver::NodeFacts& /*facts*/) const {
  TRY_DO(driver::check_options(network, options()));
  if (network.internal) {
    return fail(Errc::invalid, "driver host has the host's addresses; leave --internal out");
  }
  if (network.subnets.empty()) return {};
  return fail(Errc::invalid, "driver host has the host's addresses; leave --subnet out");
}

Result<> HostDriver::check_endpoint(const model::Network& network,
                                    const model::Endpoint& /*endpoint*/,
                                    const model::View& /*view*/) const {
  return fail(Errc::unsupported, "network '" + network.name +
                                     "' is the host's own namespace: a workload is started in it "
                                     "(docker run --network host), and cannot be connected later");
}

std::string HostDriver::device(const model::Network& /*network*/) const {
  return "";
}

driver::Claim HostDriver::claim(const model::Network& /*network*/) const {
  return {"the host's own namespace", "driver host", driver::Claim::Share::alone};
}

void HostDriver::plan_node(const model::View& /*view*/, const driver::NodeFacts& /*facts*/,
                           dataplane::HostState& /*into*/) const {}

void HostDriver::plan_network(const driver::Site& /*site*/, const driver::NodeFacts& /*facts*/,
                              dataplane::HostState& /*into*/) const {}

void HostDriver::plan_endpoints(const driver::Site& /*site*/, const driver::NodeFacts& /*facts*/,
                                dataplane::HostState& /*into*/) const {}

}  // namespace heddle::host
