#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "netd/mesh/catalog.h"
#include "netd/mesh/config.h"
#include "netd/mesh/plan.h"

namespace heddle::mesh {

// What one proxy was told, and what it is to be told next: nothing is queued but questions,
// messages are made from the newest catalog when the stream can take one, so that a slow proxy
// costs no memory and never gets something outdated. No I/O, no clock. Bounds:  4,096 groups by
// Resolve (then the longest known is taken back: the proxy asks again when
//          it needs it), 4,096 unanswered questions.
// Threads: one.
class Feed final {
 public:
  static constexpr std::size_t kMaxGroups = 4096;
  static constexpr std::size_t kMaxQuestions = 4096;

  void update(std::shared_ptr<const Catalog> catalog, std::shared_ptr<const ProxyPlan> plan);

  // Errors: `exhausted` past the bound.
  Result<> resolve(const SocketAddr& destination);
  void release(const std::string& group);

  // Absent: nothing to say now. Nothing is said before the first update().
  std::optional<ConfigMessage> next();

  std::uint64_t revision() const { return revision_; }  // of the last snapshot given out
  std::set<std::string> sockets() const;                // that it named

 private:
  struct Used {
    GroupRef ref;
    std::optional<TargetGroup> sent;
    std::uint64_t since = 0;
  };

  TargetGroup fixed_group(const std::string& name, const FixedGroup& fixed) const;
  Snapshot take_snapshot();
  std::optional<ConfigMessage> answer();
  void ask(const SocketAddr& destination);
  void forget(const std::string& group);
  void make_room();

  std::shared_ptr<const Catalog> catalog_;
  std::shared_ptr<const ProxyPlan> plan_;
  std::uint64_t revision_ = 0;
  std::uint64_t next_since_ = 0;
  bool snapshot_due_ = false;
  std::vector<Listener> sent_listeners_;
  std::map<std::string, TargetGroup> sent_fixed_;   // the plan's own groups
  std::map<std::string, Used> used_;                // groups that resolved to
  std::map<SocketAddr, std::string> destinations_;  // answered with a group
  std::deque<SocketAddr> questions_;
  std::set<SocketAddr> questioned_;  // the same, to find
  std::set<std::string> changed_;    // of used_ and sent_fixed_: to be put
  std::deque<std::string> removed_;
};

}  // namespace heddle::mesh
