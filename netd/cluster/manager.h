#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "netd/cluster/membership.h"
#include "netd/cluster/registry.h"
#include "netd/cluster/voters.h"
#include "netd/identity/authority.h"

namespace heddle::cluster {

// What a manager runs: etcd, a replica of it, the registry, the keeper of etcd's members, and the
// node API.
// Threads: start() blocks until all answer.
class Manager {
 public:
  struct Settings {
    std::string dir;  // of its membership
    std::string etcd_binary;
    std::string etcd_cgroup;
    Membership membership;
    std::function<bool()> give_up = {};  // asked now and then while etcd comes up
    // No other member is to be waited for: they are lost, and this one goes on alone.
    enum class Others { members, lost };
    Others others = Others::members;
  };
  // The first objects of a swarm that begins with this manager.
  struct Founding {
    model::Swarm swarm;
    model::Node node;
    std::string key_digest;
  };
  static Result<std::unique_ptr<Manager>> start(Settings settings, const Clock& clock,
                                                std::optional<Founding> founding,
                                                Deadline deadline);
  // Makes what only managers have in `dir`: both authorities, this node's and etcd's certificates.
  struct Identity {
    model::Id node;
    std::string key_digest;
  };
  static Result<Identity> make_identity(MembershipDir& dir, const model::Id& swarm,
                                        const IpAddr& advertise, const Clock& clock);

  // Puts into `dir` what makes a manager of the node that is there: both authorities, and the
  // certificates that they sign for it. What etcd had is gone.
  static Result<> take_keys(MembershipDir& dir, const Membership& membership,
                            const ManagerKeys& keys, const Clock& clock);
  // And takes all of it away again.
  static Result<> drop_keys(MembershipDir& dir);

  // start() renews certificates that end within a month; a manager that runs on must be restarted.
  static bool renewal_is_due(const MembershipDir& dir, const Clock& clock);

  virtual ~Manager() = default;  // sessions first, etcd last
  virtual Registry& registry() = 0;
  virtual Voters& voters() = 0;
  virtual const identity::Authority& authority() const = 0;
};

}  // namespace heddle::cluster
