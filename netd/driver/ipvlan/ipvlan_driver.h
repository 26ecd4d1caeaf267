#pragma once
#include "netd/driver/driver.h"

namespace heddle::ipvlan {

// Endpoints that share the Ethernet address of a device of the host, or of a VLAN of one: for
// switches that allow one address per port. Mode l2 has the physical network's router as the
// gateway; in l3 and l3s the host routes, and the network beyond needs routes to the subnets.
// Source: Documentation/networking/ipvlan.rst.
class IpvlanDriver final : public driver::Driver {
 public:
  std::string_view name() const override { return "ipvlan"; }
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

}  // namespace heddle::ipvlan
