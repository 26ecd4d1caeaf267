#include "topologies/engine/process/cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "common/base/unique_fd.h"
#include "topologies/engine/process/mounts.h"

namespace heddle::process {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

bool exists(const std::string& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0;
}

Result<bool> populated(const std::string& path) {
  std::ifstream events(path + "/cgroup.events");
  std::string key;
  int value = 0;
  while (events >> key >> value) {
    if (key == "populated") return value != 0;
  }
  if (!exists(path)) return false;
  return fail(Errc::internal, path + "/cgroup.events says nothing of `populated`");
}

void collect(const fs::path& path, std::vector<int>& out) {
  std::ifstream procs(path / "cgroup.procs");
  for (int pid = 0; procs >> pid;) out.push_back(pid);
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(path, ec)) {
    if (entry.is_directory(ec) && !entry.is_symlink(ec)) collect(entry.path(), out);
  }
}

bool put(const std::string& path, const std::string& text) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

}  // namespace

Result<std::string> find_cgroup2() {
  for (const Mount& mount : mounts()) {
    if (mount.type == "cgroup2") return mount.target;
  }
  return fail(Errc::unsupported,
              "cgroup2 is mounted nowhere; labs need it (mount -t cgroup2 none /sys/fs/cgroup)");
}

Result<> create_cgroup(const std::string& path) {
  std::error_code ec;
  fs::create_directories(path, ec);
  if (ec) return fail_errno(ec.value(), "create cgroup " + path);
  return {};
}

Result<> limit_cgroup(const std::string& parent, const std::string& path,
                      const CgroupLimits& limits) {
  constexpr int kPeriod = 100'000;  // microseconds, the kernel's own
  std::string lacking;
  const auto set = [&](const char* controller, const char* file, const std::string& value) {
    put(parent + "/cgroup.subtree_control", std::string("+") + controller);
    if (!put(path + "/" + file, value))
      lacking += (lacking.empty() ? "" : ", ") + std::string(controller);
  };
  if (limits.cpu > 0)
    set("cpu", "cpu.max",
        std::to_string(static_cast<long>(limits.cpu * kPeriod)) + " " + std::to_string(kPeriod));
  if (limits.memory > 0) set("memory", "memory.max", std::to_string(limits.memory));
  if (!limits.cpu_set.empty()) set("cpuset", "cpuset.cpus", limits.cpu_set);
  if (lacking.empty()) return {};
  return fail(Errc::unsupported, "no limit on " + lacking + ": cgroup2 does not offer it below " +
                                     parent + " (see cgroup.controllers there)");
}

Result<> kill_cgroup(const std::string& path, Deadline deadline) {
  UniqueFd fd(::open((path + "/cgroup.kill").c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) {
    if (!exists(path)) return {};
    if (errno == ENOENT)
      return fail(Errc::unsupported, "this kernel has no cgroup.kill (Linux 5.14)");
    return fail_errno(errno, "open cgroup.kill of " + path);
  }
  for (;;) {
    if (::write(fd.get(), "1", 1) != 1 && errno != ENODEV)
      return fail_errno(errno, "kill the processes of " + path);
    for (int look = 0; look < 20; ++look) {
      TRY(const bool some, populated(path));
      if (!some) return {};
      if (std::chrono::steady_clock::now() >= deadline) {
        const auto left = processes_in(path);
        return fail(Errc::timeout,
                    std::to_string(left.size()) + " processes of " + path + " do not end" +
                        (left.empty() ? "" : ", pid " + std::to_string(left.front())));
      }
      std::this_thread::sleep_for(2ms);
    }
  }
}

Result<> remove_cgroup(const std::string& path) {
  if (!exists(path)) return {};
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(path, ec)) {
    if (entry.is_directory(ec) && !entry.is_symlink(ec)) TRY_DO(remove_cgroup(entry.path()));
  }
  for (int tries = 0;; ++tries) {
    if (::rmdir(path.c_str()) == 0 || errno == ENOENT) return {};
    // A process that has just died keeps its cgroup busy for a moment.
    if (errno != EBUSY || tries == 500) return fail_errno(errno, "remove cgroup " + path);
    std::this_thread::sleep_for(2ms);
  }
}

std::vector<int> processes_in(const std::string& path) {
  std::vector<int> out;
  if (exists(path)) collect(path, out);
  return out;
}

}  // namespace heddle::process
