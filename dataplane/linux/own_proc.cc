#include "dataplane/linux/own_proc.h"

#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

namespace heddle::dataplane {
namespace {

UniqueFd mount_proc() {
  const UniqueFd context(static_cast<int>(::syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC)));
  if (!context) return {};
  if (::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0)
    return {};
  return UniqueFd(static_cast<int>(::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, 0)));
}

}  // namespace

ProcRoot OwnProc::next() {
  if (!root_ || ++uses_ > kUses) {
    if (root_) reaper_.discard(std::move(root_));
    root_ = mount_proc();
    uses_ = 1;
  }
  return {root_.get()};
}

}  // namespace heddle::dataplane
