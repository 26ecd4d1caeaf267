#pragma once
#include <string>

#include "common/base/result.h"

// A BPF file system of the daemon's own, where its pins live: hosts do not always mount
// /sys/fs/bpf, and daemons that share a kernel must not share pins.
namespace heddle::bpf {

// Mounts a bpffs at `path`, for root only; the directory is made when absent. A bpffs that is there
// already is left alone. Errors: `denied` without CAP_SYS_ADMIN; `conflict` when something else is
// mounted there.
Result<> mount_bpffs(const std::string& path);

// Unmounts it, with every pin in it, and removes the directory. Absence is success.
Result<> unmount_bpffs(const std::string& path);

}  // namespace heddle::bpf
