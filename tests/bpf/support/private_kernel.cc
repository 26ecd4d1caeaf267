#include "tests/bpf/support/private_kernel.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
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

constexpr std::string_view kPrefix = "heddle-test-";

void remove_cgroup(const std::string& path) {
  std::vector<std::filesystem::path> directories;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path, ignored)) {
    if (entry.is_directory(ignored)) directories.push_back(entry.path());
  }
  for (auto child = directories.rbegin(); child != directories.rend(); ++child)
    ::rmdir(child->c_str());
  ::rmdir(path.c_str());
}

Result<std::string> own_cgroup(const std::string& mount) {
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with("0::")) return mount + line.substr(3);
  }
  return fail(Errc::unsupported, "this process is in no cgroup2");
}

// Cgroups of test processes that were killed.
void sweep(const std::string& mount) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(mount, ignored)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(kPrefix)) continue;
    const int pid = std::atoi(name.c_str() + kPrefix.size());
    if (pid > 0 && ::kill(pid, 0) != 0 && errno == ESRCH) remove_cgroup(entry.path());
  }
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
  sweep("/run/cgroup");
  const std::string name = "/run/cgroup/" + std::string(kPrefix) + std::to_string(::getpid());
  if (::mkdir(name.c_str(), 0755) != 0) return fail_errno(errno, "make cgroup " + name);
  kernel->cgroup_ = name;
  return kernel;
}

PrivateKernel::~PrivateKernel() {
  if (cgroup_.empty()) return;
  (void)join(home_).has_value();
  remove_cgroup(cgroup_);
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

int shell(const std::string& command) {
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
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
