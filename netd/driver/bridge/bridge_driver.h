#pragma once
#include "netd/driver/driver.h"

namespace heddle::bridge {

// A Linux bridge per network, on one node: endpoints are its ports, the gateways its addresses.
// Everything else leaves through the host's routes; what of it is allowed, and under which source
// address, is the gateway mode's business.
class BridgeDriver final : public driver::Driver {
 public:
  std::string_view name() const override { return "bridge"; }
  model::Scope scope() const override { return model::Scope::local; }
  std::span<const driver::OptionHelp> options() const override;
  bool has_gateway(const model::Network& network, driver::Family family) const override;

  Result<> validate(const model::Network& network, const driver::NodeFacts& facts) const override;
  Result<> check_endpoint(const model::Network& network, const model::Endpoint& endpoint,
                          const model::View& view) const override;
  std::string device(const model::Network& network) const override;
  driver::Claim claim(const model::Network& network) const override;
  void plan_node(const model::View& view, const driver::NodeFacts& facts,
                 dataplane::HostState& into) const override;
  void plan_network(const driver::Site& site, const driver::NodeFacts& facts,
                    dataplane::HostState& into) const override;
  void plan_endpoints(const driver::Site& site, const driver::NodeFacts& facts,
                      dataplane::HostState& into) const override;
};

}  // namespace heddle::bridge
