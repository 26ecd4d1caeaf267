#include "netd/runtime/cgroup.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <string_view>
#include <vector>

#include "netd/runtime/runtime.h"

namespace heddle::runtime {
namespace {

namespace fs = std::filesystem;
constexpr auto kEmptyBudget = std::chrono::seconds(5);

bool is_cgroup2(const std::string& path) {
  struct statfs info{};
  return ::statfs(path.c_str(), &info) == 0 && info.f_type == CGROUP2_SUPER_MAGIC;
}

bool exists(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0;
}

std::string read_file(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  char buffer[4096];
  while (fd) {
    const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.append(buffer, static_cast<std::size_t>(n));
  }
  return text;
}

// Itself first, then what is below.
std::vector<std::string> with_descendants(const std::string& path) {
  std::vector<std::string> all{path};
  std::error_code ec;
  fs::recursive_directory_iterator it(path, fs::directory_options::skip_permission_denied, ec);
  for (; !ec && it != fs::recursive_directory_iterator(); it.increment(ec)) {
    if (it->is_directory(ec)) all.push_back(it->path().string());
  }
  return all;
}

void for_each_process(const std::string& path, const std::function<void(pid_t)>& visit) {
  for (const auto& directory : with_descendants(path)) {
    const std::string text = read_file(directory + "/cgroup.procs");
    for (const char* p = text.data(); p < text.data() + text.size();) {
      pid_t pid = 0;
      const auto [end, error] = std::from_chars(p, text.data() + text.size(), pid);
      if (error != std::errc()) break;
      if (pid > 0) visit(pid);
      p = end + 1;
    }
  }
}

}  // namespace

Result<UniqueFd> ensure_cgroup(const std::string& path) {
  std::error_code ec;
  fs::create_directories(path, ec);
  if (ec) return fail_errno(ec.value(), "make cgroup " + path);
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, "open cgroup " + path);
  if (!is_cgroup2(path)) {
    return fail(Errc::unsupported, path +
                                       " is not on a cgroup2 file system; mount one (systemd "
                                       "does at /sys/fs/cgroup) or choose another directory");
  }
  return fd;
}

bool populated(const std::string& path) {
  return read_file(path + "/cgroup.events").find("populated 1") != std::string::npos;
}

Result<> kill_cgroup(const std::string& path) {
  if (!exists(path)) return {};
  if (!is_cgroup2(path)) return fail(Errc::invalid, path + " is no cgroup2 directory");
  bool ours = false;
  for_each_process(path, [&](pid_t pid) { ours = ours || pid == ::getpid(); });
  if (ours) return fail(Errc::invalid, "cgroup " + path + " holds this daemon itself; not killed");
  const UniqueFd fd(::open((path + "/cgroup.kill").c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return {};  // removed meanwhile
  if (!fd || ::write(fd.get(), "1", 1) != 1) return fail_errno(errno, "kill cgroup " + path);
  return {};
}

void terminate_cgroup(const std::string& path) {
  for_each_process(path, [](pid_t pid) {
    if (pid != ::getpid()) ::kill(pid, SIGTERM);
  });
}

Result<> remove_empty_cgroup(const std::string& path) {
  const auto all = with_descendants(path);
  Result<> first;
  for (auto it = all.rbegin(); it != all.rend(); ++it) {
    if (::rmdir(it->c_str()) == 0 || errno == ENOENT) continue;
    if (first) first = fail_errno(errno, "remove cgroup " + *it);
  }
  return first;
}

Result<> remove_cgroup(const std::string& cgroup) {
  if (!exists(cgroup)) return {};
  TRY_DO(kill_cgroup(cgroup));
  const UniqueFd events(::open((cgroup + "/cgroup.events").c_str(), O_RDONLY | O_CLOEXEC));
  const auto deadline = std::chrono::steady_clock::now() + kEmptyBudget;
  while (populated(cgroup)) {
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left.count() <= 0)
      return fail(Errc::timeout, "processes in cgroup " + cgroup + " do not end after SIGKILL");
    // POLLPRI comes at each change of the file; the bound covers one before the poll.
    pollfd changed{events.get(), POLLPRI, 0};
    ::poll(&changed, 1, 20);
  }
  return remove_empty_cgroup(cgroup);
}

}  // namespace heddle::runtime
