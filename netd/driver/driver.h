#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "dataplane/intent/host_state.h"
#include "netd/driver/node_facts.h"
#include "netd/driver/options.h"
#include "netd/model/view.h"

namespace heddle::driver {

// An endpoint of this node whose sandbox exists.
struct LocalEndpoint {
  const model::Endpoint* endpoint;
  const model::Workload* workload;
  bool default_route;           // whether this endpoint gives its sandbox the way out, for IPv4
  bool default_route6 = false;  // and for IPv6
};

// One network that is present on this node, and its endpoints; all borrowed from one View.
struct Site {
  const model::Network& network;
  const model::View& view;
  std::vector<LocalEndpoint> local;            // by id
  std::vector<const model::Endpoint*> remote;  // of other nodes, by id
};

// What a network takes of the host's links. Two networks of one node may take the same device when
// both take it in the same manner, and neither alone.
struct Claim {
  std::string device;  // "": nothing
  std::string manner;  // for people: a bridge, macvlan, ipvlan l2
  enum class Share { alone, together } share = Share::alone;
};

// One way of realising networks on this node. Pure: no I/O, no clock; equal arguments give equal
// intents. The reconciler compares, the dataplane acts.
// Threads: any.
class Driver {
 public:
  virtual ~Driver() = default;
  virtual std::string_view name() const = 0;
  virtual model::Scope scope() const = 0;

  virtual std::span<const OptionHelp> options() const = 0;

  // Whether networks have addresses of their own; else they have no subnets.
  virtual bool has_subnets() const { return true; }
  // Whether a subnet of the family has a gateway: an address that endpoints' way out leads to.
  virtual bool has_gateway(const model::Network& network, Family family) const = 0;

  // Options are normal. Errors: `invalid` with the option's or the subnet's name and what is
  // accepted; `unsupported` with what the kernel lacks; `not_found` and `in_use` for devices.
  virtual Result<> validate(const model::Network& network, const NodeFacts& facts) const = 0;

  // Whether a new endpoint can be as it was asked for; addresses are checked elsewhere.
  // Errors: `unsupported` with what the network's endpoints cannot have and why; `in_use`.
  virtual Result<> check_endpoint(const model::Network& network, const model::Endpoint& endpoint,
                                  const model::View& view) const = 0;

  // The link that carries the network on this node; "" when none does.
  virtual std::string device(const model::Network& network) const = 0;
  virtual Claim claim(const model::Network& network) const = 0;

  // What the node needs for this driver whatever networks are present.
  virtual void plan_node(const model::View& view, const NodeFacts& facts,
                         dataplane::HostState& into) const = 0;

  // The network itself, apart from its endpoints: the site has none.
  virtual void plan_network(const Site& site, const NodeFacts& facts,
                            dataplane::HostState& into) const = 0;
  // The site's endpoints, local and remote; may be some of them only.
  virtual void plan_endpoints(const Site& site, const NodeFacts& facts,
                              dataplane::HostState& into) const = 0;
};

// The drivers of this program, made by its main().
class DriverSet final {
 public:
  void add(std::unique_ptr<Driver> driver);
  const Driver* find(std::string_view name) const;
  // Errors: `invalid` naming the drivers there are.
  Result<const Driver*> get(std::string_view name) const;
  const std::vector<std::unique_ptr<Driver>>& all() const { return drivers_; }

 private:
  std::vector<std::unique_ptr<Driver>> drivers_;
};

}  // namespace heddle::driver
