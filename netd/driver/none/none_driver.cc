#include "netd/driver/none/none_driver.h"

namespace heddle::none {

std::span<const driver::OptionHelp> NoneDriver::options() const {
  return {};
}

bool NoneDriver::has_gateway(const model::Network& /*network*/, driver::Family /*family*/) const {
  return false;
}

Result<> NoneDriver::validate(const model::Network& network,
                              const driver::NodeFacts& /*facts*/) const {
  TRY_DO(driver::check_options(network, options()));
  if (network.internal) {
    return fail(Errc::invalid, "driver none has no addresses; leave --internal out");
  }
  if (network.subnets.empty()) return {};
  return fail(Errc::invalid, "driver none has no addresses; leave --subnet out");
}

Result<> NoneDriver::check_endpoint(const model::Network& network,
                                    const model::Endpoint& /*endpoint*/,
                                    const model::View& /*view*/) const {
  return fail(Errc::unsupported, "network '" + network.name +
                                     "' is no network: a workload without others is in it already, "
                                     "so there is nothing to connect");
}

std::string NoneDriver::device(const model::Network& /*network*/) const {
  return "";
}

driver::Claim NoneDriver::claim(const model::Network& /*network*/) const {
  return {"the absence of networks", "driver none", driver::Claim::Share::alone};
}

void NoneDriver::plan_node(const model::View& /*view*/, const driver::NodeFacts& /*facts*/,
                           dataplane::HostState& /*into*/) const {}

void NoneDriver::plan_network(const driver::Site& /*site*/, const driver::NodeFacts& /*facts*/,
                              dataplane::HostState& /*into*/) const {}

void NoneDriver::plan_endpoints(const driver::Site& /*site*/, const driver::NodeFacts& /*facts*/,
                                dataplane::HostState& /*into*/) const {}

}  // namespace heddle::none
