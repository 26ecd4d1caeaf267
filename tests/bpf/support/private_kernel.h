#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "dataplane/bpf/programs.h"

namespace heddle::testing {

// What a kernel test needs to itself: the process moves into network and mount namespaces of its
// own, mounts a bpffs there and makes a cgroup. The namespaces end with the process, the cgroup
// with this object, at the latest with its pid's successor: names carry the pid.
class PrivateKernel final {
 public:
  static Result<std::unique_ptr<PrivateKernel>> enter();
  ~PrivateKernel();
  PrivateKernel(const PrivateKernel&) = delete;
  PrivateKernel& operator=(const PrivateKernel&) = delete;

  // A fresh directory on the bpffs.
  Result<std::string> make_pin_dir(const std::string& name);

  // A child of the cgroup, made.
  Result<std::string> make_cgroup(const std::string& name);
  const std::string& cgroup() const { return cgroup_; }

  // Moves this process; it returns to where it was when the object ends.
  Result<> join(const std::string& cgroup);

 private:
  PrivateKernel() = default;
  std::string bpffs_;
  std::string cgroup_;
  std::string home_;  // where the process was
};

// The id that programs see: the directory's inode number.
std::uint64_t cgroup_id(const std::string& path);

// Runs a command line of the shell; its exit status.
int shell(const std::string& command);

// Packets counted under this reason so far.
std::uint64_t drops_of(bpf::Programs& programs, const std::string& reason);

}  // namespace heddle::testing
