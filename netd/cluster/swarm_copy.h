#pragma once
#include <map>
#include <string>

#include "common/base/result.h"
#include "netd/cluster/cluster.h"

namespace heddle::node::v1 {
class State;
}

namespace heddle::cluster {

// A node's copy of what managers told it. Threads: one at a time.
class SwarmCopy {
 public:
  explicit SwarmCopy(model::Id self) : self_(std::move(self)) {}

  // Takes one State message; true when it completed an update. A part that is wrong spoils the
  // whole update: the copy is as before, and the session must begin anew.
  Result<bool> apply(const node::v1::State& state);
  void reset_update() { pending_.reset(); }  // of a session that ended midway

  std::uint64_t revision() const { return contents_.revision; }
  bool known() const { return contents_.revision != 0; }
  SwarmState state() const;
  std::vector<std::string> managers() const;  // HOST:PORT

  // For the disk. Errors: `invalid` for bytes that are no such state, or another swarm's.
  std::string save(const model::Id& swarm) const;
  Result<> load(const model::Id& swarm, const std::string& bytes);

 private:
  struct Contents {
    std::uint64_t revision = 0;
    model::Swarm swarm;
    std::map<std::string, model::Node> nodes;
    std::map<std::string, model::Network> networks;
    std::map<std::string, model::Service> services;
    std::map<std::string, model::Endpoint> endpoints;
    std::map<std::string, model::AddressBlock> blocks;
    template <class Item>
    Result<> take(const Item& item);
  };

  const model::Id self_;
  Contents contents_;
  std::unique_ptr<Contents> pending_;  // of an update under way
};

}  // namespace heddle::cluster
