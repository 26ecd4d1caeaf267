#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace heddle::holder {

// Keeps descriptors beyond the daemon's life, by name (1 to 128 of [A-Za-z0-9._:/-]): listening
// sockets in workloads' namespaces, so that what arrives during a restart waits and is answered.
// Two implementations: systemd's fd store (sd_pid_notify_with_fds(3), FileDescriptorStoreMax=) when
// started by systemd with one, else the heddle-holder process.
// Threads: any; callers wait for each other.
// Errors:  `unavailable` when the holder is gone (it is started again at the next open),
//          `exhausted` past its bound.
class Keeper {
 public:
  virtual ~Keeper() = default;
  // Keeps a duplicate; an equal name is replaced. `fd` is borrowed.
  virtual Result<> put(const std::string& name, int fd) = 0;
  virtual Result<> drop(const std::string& name) = 0;  // absence is success
  // Duplicates of everything kept, for a starting daemon.
  virtual Result<std::map<std::string, UniqueFd>> take_all() = 0;
  // Ends the keeping: everything dropped, the holder process ended.
  virtual Result<> shut() = 0;
};

struct Settings {
  std::string socket;  // <run-dir>/holder.sock
  std::string binary;  // heddle-holder, beside heddled
  std::string cgroup;  // cgroup2 directory for the process; empty: ours
};
// Connects to the running holder or starts one; it outlives us.
Result<std::unique_ptr<Keeper>> open_keeper(const Settings& settings);

}  // namespace heddle::holder
