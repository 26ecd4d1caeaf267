#pragma once
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/host/private_host.h"
#include "topologies/engine/fabric/fabric.h"
#include "topologies/engine/plan/plan.h"
#include "topologies/labd/links.h"

namespace heddle::testing {

// The network of a lab, without processes, on a machine of its own. Its nodes do not speak IPv6 and
// know each other's MACs: the packets on a link are those that a test sends.
class World final {
 public:
  explicit World(const std::string& lab);
  ~World();

  labd::Links& links() { return *links_; }
  fabric::Fabric& fabric() { return *fabric_; }
  const plan::Plan& plan() const { return plan_; }
  plan::Plan& change_plan() { return plan_; }
  std::string netns(const std::string& member) const { return plan_.paths.netns(member); }
  control::LinkStatus status(const std::string& link) const;

  // Numbered datagrams.
  struct Flow {
    std::string from;
    std::string to;
    std::string address;  // where they go
    int count = 100;
    std::chrono::microseconds pace{0};  // between two; at 0 as fast as it goes
    std::size_t bytes = 100;
  };
  struct Arrival {
    std::uint32_t number = 0;
    std::chrono::nanoseconds took{0};
  };
  // In the order of their arrival, until none came for 400 ms.
  std::vector<Arrival> send(const Flow& flow);

 private:
  host::PrivateHost host_;
  plan::Plan plan_;
  std::unique_ptr<fabric::Fabric> fabric_;
  std::unique_ptr<labd::Links> links_;
};

// A node `a` and a node `b`, 10.0.0.1 and 10.0.0.2, with one link that does `impair`.
std::string two_nodes(const std::string& impair);

// The numbers, sorted.
std::vector<std::uint32_t> numbers_of(const std::vector<World::Arrival>& arrivals);

}  // namespace heddle::testing
