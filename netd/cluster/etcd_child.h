#pragma once
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/net/ip.h"

namespace heddle::cluster {

// etcd as a supervised child: started, started again when it ends, stopped gracefully. It dies with
// this process (PR_SET_PDEATHSIG, prctl(2)): the next heddled starts a clean one, and what is lost
// meanwhile are writes, not packets. The signal is bound to the thread that forked, so that thread
// lives as long as the child may.
// Threads: one of its own.
class EtcdChild {
 public:
  struct Settings {
    std::string binary;  // found in PATH when empty
    std::string data_dir;
    std::string name;     // of the member
    std::string cluster;  // token: members of another cluster are refused
    SocketAddr client;    // loopback
    SocketAddr peer;
    std::string ca_file;
    std::string cert_file;
    std::string key_file;
    std::string common_name;  // that other members' certificates must carry
    std::string log_file;
    std::string
        initial_cluster;  // members that this one joins, as etcd's flag; empty: it is the first
    enum class Alone { no, yes };
    Alone alone = Alone::no;  // no other member is known
    enum class Members { kept, forgotten };
    Members members = Members::kept;  // forgotten: it goes on as the only one, with its data
    std::string cgroup;               // cgroup2 directory to put it in; empty: ours
  };
  // Errors: `not_found` without a binary. Whether it comes up shows in the store's answers.
  static Result<std::unique_ptr<EtcdChild>> start(Settings settings);
  static Result<std::string> find_binary(const std::string& wanted);  // as start() does
  virtual ~EtcdChild() = default;                                     // SIGTERM, after 5 s SIGKILL
  // The last lines it logged, for an error that says why it does not come up.
  virtual std::string last_words() const = 0;
};

}  // namespace heddle::cluster
