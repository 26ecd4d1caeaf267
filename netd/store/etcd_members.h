#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "netd/store/store.h"

namespace heddle::store {

// The members of an etcd cluster, asked of and changed through one of them (etcd's Cluster and
// Maintenance services, v3.4).
// Threads:  any; calls block.
// Errors:   `unavailable` with etcd's words: no leader, not in sync yet, a change that would lose
//           the quorum; `timeout`.
class EtcdMembers {
 public:
  struct Member {
    std::uint64_t id = 0;
    std::string name;  // "" until it has come up once
    std::string peer_url;
    bool learner = false;  // gets the log, does not count for the quorum
  };
  // As the member that is asked knows it: also answered without a quorum.
  struct Status {
    std::uint64_t self = 0;
    std::uint64_t leader = 0;  // 0: none
    bool learner = false;
  };

  virtual ~EtcdMembers() = default;
  virtual Result<Status> status(Deadline deadline) = 0;
  virtual Result<std::vector<Member>> list(Deadline deadline) = 0;
  virtual Result<std::vector<Member>> add_learner(const std::string& peer_url,
                                                  Deadline deadline) = 0;
  virtual Result<> promote(std::uint64_t member, Deadline deadline) = 0;
  virtual Result<> remove(std::uint64_t member, Deadline deadline) = 0;  // absence is fine
  virtual Result<> move_leader(std::uint64_t to, Deadline deadline) = 0;
};

Result<std::unique_ptr<EtcdMembers>> open_members(const EtcdTarget& target);

}  // namespace heddle::store
