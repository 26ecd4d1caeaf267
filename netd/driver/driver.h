#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "dataplane/intent/host_state.h"
#include "netd/driver/node_facts.h"
#include "netd/model/view.h"

namespace heddle::driver {

// An endpoint of this node whose sandbox exists.
struct LocalEndpoint {
  const model::Endpoint* endpoint;
  const model::Workload* workload;
  bool default_route;  // whether this endpoint's network gives its sandbox the way out
};

// One network that is present on this node, and its endpoints; all borrowed from one View.
struct Site {
  const model::Network& network;
  const model::View& view;
  std::vector<LocalEndpoint> local;            // by id
  std::vector<const model::Endpoint*> remote;  // of other nodes, by id
};

// One way of realising networks on this node. Pure: no I/O, no clock; equal arguments give equal
// intents. The reconciler compares, the dataplane acts.
// Threads: any.
class Driver {
 public:
  virtual ~Driver() = default;
  virtual std::string_view name() const = 0;
  virtual model::Scope scope() const = 0;

  // Errors: `invalid` with the option's or the subnet's name and what is accepted.
  virtual Result<> validate(const model::Network& network, const NodeFacts& facts) const = 0;

  // The link that carries the network on this node; no two networks of scope local share one.
  virtual std::string device(const model::Network& network) const = 0;

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
