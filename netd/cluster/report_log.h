#pragma once
#include <chrono>
#include <map>
#include <optional>
#include <set>

#include "netd/cluster/cluster.h"

namespace heddle::cluster {

// What a node has to tell of itself, and what the session at hand has told of it. Pure bookkeeping.
class ReportLog {
 public:
  struct Changes {
    std::uint64_t epoch = 0;
    NodeAddresses addresses;
    std::vector<model::Endpoint> put;
    std::vector<model::Id> removed;
    bool whole = false;
  };

  // True when the node has moved: the session goes on from another address.
  bool set(NodeReport report);
  // A session begins: nothing was told in it yet.
  void begin_session();
  // What was not told yet, if anything; counted as told. The first of a session is whole.
  std::optional<Changes> take_changes();
  // The endpoint did not enter: it is told again once it changed, or by retry_refused().
  void refused(const model::Id& endpoint) { refused_.insert(endpoint); }
  void retry_refused();

 private:
  NodeReport now_;
  bool known_ = false;     // set() was called
  bool told_any_ = false;  // in this session
  std::map<model::Id, model::Endpoint> told_;
  std::uint64_t told_epoch_ = 0;
  NodeAddresses told_addresses_;
  std::set<model::Id> refused_;
};

}  // namespace heddle::cluster
