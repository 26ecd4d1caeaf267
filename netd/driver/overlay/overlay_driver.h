#pragma once
#include "netd/driver/driver.h"

namespace heddle::overlay {

// Networks of the whole swarm over VXLAN: an address map instead of a bridge per network, one
// collect-metadata VXLAN device per node, the gateway an anycast address on every node.
// A node of a swarm has the underlay even without a network, so that it answers its peers' probes.
// Options: `mtu` (at most the underlay's less 50).
// Source: RFC 7348.
class OverlayDriver final : public driver::Driver {
 public:
  std::string_view name() const override { return "overlay"; }
  model::Scope scope() const override { return model::Scope::swarm; }
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

}  // namespace heddle::overlay
