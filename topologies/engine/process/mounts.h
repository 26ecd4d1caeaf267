#pragma once
#include <string>
#include <vector>

#include "common/base/result.h"

// Mounts of the calling thread's mount namespace. Source: proc(5), mountinfo; umount(2).
namespace heddle::process {

struct Mount {
  std::string target;
  std::string type;  // nsfs, bpf, cgroup2 ...
};
std::vector<Mount> mounts();  // in mount order

// Detaches everything mounted at or below `directory`. Goes on past failures and returns the first.
Result<> unmount_below(const std::string& directory);

// Removes a directory and what is in it after unmount_below; never crosses into another file
// system, so that a mount that could not be detached loses nothing. Absence is success.
Result<> remove_tree(const std::string& directory);

}  // namespace heddle::process
