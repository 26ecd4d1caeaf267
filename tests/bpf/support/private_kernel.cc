#include "tests/bpf/support/private_kernel.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <vector>

#include "dataplane/bpf/bpffs.h"

namespace heddle::testing {
namespace {

Result<> write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  file.flush();
  if (!file) return fail(Errc::internal, "write " + path);
  return {};
}

Result<std::string> own_cgroup(const std::string& mount) {
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with("0::")) return mount + line.substr(3);
  }
  return fail(Errc::unsupported, "this process is in no cgroup2");
}

}  // namespace

Result<std::unique_ptr<PrivateKernel>> PrivateKernel::enter() {
  std::unique_ptr<PrivateKernel> kernel(new PrivateKernel());
  if (::unshare(CLONE_NEWNET | CLONE_NEWNS) != 0)
    return fail_errno(errno, "enter private namespaces");
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return fail_errno(errno, "make the mounts private");
  if (::mount("tmpfs", "/run", "tmpfs", 0, nullptr) != 0)
    return fail_errno(errno, "mount a private /run");
  // The kernel lets ip(8) find its own state only with a private /sys of this namespace.
  if (::mount("sysfs", "/sys", "sysfs", 0, nullptr) != 0)
    return fail_errno(errno, "mount sysfs of the namespace");
  if (::mkdir("/run/cgroup", 0700) != 0 ||
      ::mount("none", "/run/cgroup", "cgroup2", 0, nullptr) != 0)
    return fail_errno(errno, "mount cgroup2");
  kernel->bpffs_ = "/run/bpf";
  TRY_DO(bpf::mount_bpffs(kernel->bpffs_));
  TRY(kernel->home_, own_cgroup("/run/cgroup"));
  const std::string name = "/run/cgroup/heddle-test-" + std::to_string(::getpid());
  if (::mkdir(name.c_str(), 0755) != 0) return fail_errno(errno, "make cgroup " + name);
  kernel->cgroup_ = name;
  return kernel;
}

PrivateKernel::~PrivateKernel() {
  if (cgroup_.empty()) return;
  (void)join(home_).has_value();
  std::vector<std::filesystem::path> directories;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(cgroup_)) {
    if (entry.is_directory()) directories.push_back(entry.path());
  }
  for (auto path = directories.rbegin(); path != directories.rend(); ++path) ::rmdir(path->c_str());
  ::rmdir(cgroup_.c_str());
}

Result<std::string> PrivateKernel::make_pin_dir(const std::string& name) {
  std::string path = bpffs_ + "/" + name;
  if (::mkdir(path.c_str(), 0700) != 0) return fail_errno(errno, "make " + path);
  return path;
}

Result<std::string> PrivateKernel::make_cgroup(const std::string& name) {
  std::string path = cgroup_ + "/" + name;
  if (::mkdir(path.c_str(), 0755) != 0) return fail_errno(errno, "make " + path);
  return path;
}

Result<> PrivateKernel::join(const std::string& cgroup) {
  return write_file(cgroup + "/cgroup.procs", std::to_string(::getpid()));
}

std::uint64_t cgroup_id(const std::string& path) {
  struct stat found{};
  return ::stat(path.c_str(), &found) == 0 ? found.st_ino : 0;
}

std::uint64_t drops_of(bpf::Programs& programs, const std::string& reason) {
  const auto drops = programs.drops();
  if (!drops) return 0;
  for (const bpf::DropCount& drop : *drops) {
    if (drop.reason == reason) return drop.packets;
  }
  return 0;
}

}  // namespace heddle::testing
