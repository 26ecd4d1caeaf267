#pragma once
#include "common/base/unique_fd.h"
#include "dataplane/linux/reaper.h"
#include "dataplane/linux/sysctl.h"

namespace heddle::dataplane {

// A procfs of our own, in which to reach the settings of sandboxes' interfaces. /proc/sys has an
// entry for each namespace's `net/ipv6/conf/eth0`; all lie in one chain of the kernel's hash and
// are compared in turn (proc_sys_compare in fs/proc/proc_sysctl.c): with 1,000 sandboxes finding
// one took longer than making the interface. A fresh procfs has no entries yet, so it is exchanged
// for another before there are many. Source: fsopen(2), fsmount(2), since Linux 5.2. Threads: one
// caller at a time; what it returns is valid until the next call, on any thread.
class OwnProc final {
 public:
  explicit OwnProc(Reaper& reaper) : reaper_(reaper) {}

  // Everybody's where none of our own may be had.
  ProcRoot next();

 private:
  static constexpr int kUses = 64;

  Reaper& reaper_;  // the last one ends on its thread: unmounting waits for a grace period
  UniqueFd root_;
  int uses_ = 0;
};

}  // namespace heddle::dataplane
