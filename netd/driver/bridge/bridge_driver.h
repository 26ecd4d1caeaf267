#pragma once
#include "netd/driver/driver.h"

namespace heddle::bridge {

// Networks of one host on a Linux bridge: each endpoint a veth pair whose host side is a port of
// it, the gateway's addresses on the bridge itself, what leaves masqueraded unless internal.
// Options: `mtu`, `bridge.name`.
// Source: bridge(8), veth(4).
class BridgeDriver final : public driver::Driver {
 public:
  std::string_view name() const override { return "bridge"; }
  model::Scope scope() const override { return model::Scope::local; }
  Result<> validate(const model::Network& network, const driver::NodeFacts& facts) const override;
  std::string device(const model::Network& network) const override;
  void plan_node(const model::View& view, const driver::NodeFacts& facts,
                 dataplane::HostState& into) const override;
  void plan_network(const driver::Site& site, const driver::NodeFacts& facts,
                    dataplane::HostState& into) const override;
  void plan_endpoints(const driver::Site& site, const driver::NodeFacts& facts,
                      dataplane::HostState& into) const override;
};

}  // namespace heddle::bridge
