#include "topologies/engine/process/mounts.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>

#include "common/base/unique_fd.h"

namespace heddle::process {
namespace {

constexpr int kMaxDepth = 64;

std::string unescape(std::string_view text) {  // \040 and the like
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                               (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

bool is_below(const std::string& path, const std::string& directory) {
  return path == directory || (path.starts_with(directory) && path.size() > directory.size() &&
                               path[directory.size()] == '/');
}

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

Result<> remove_entries(int dir_fd, dev_t device, const std::string& shown, int depth);

Result<> remove_entry(int dir_fd, const char* name, dev_t device, const std::string& shown,
                      int depth) {
  struct stat info{};
  if (::fstatat(dir_fd, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
    return errno == ENOENT ? Result<>{} : fail_errno(errno, "look at " + shown);
  if (info.st_dev != device)
    return fail(Errc::in_use, shown + " is still mounted; unmount it, then destroy again");
  if (S_ISDIR(info.st_mode)) {
    UniqueFd child(::openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!child) return fail_errno(errno, "open " + shown);
    TRY_DO(remove_entries(child.get(), device, shown, depth + 1));
  }
  if (::unlinkat(dir_fd, name, S_ISDIR(info.st_mode) ? AT_REMOVEDIR : 0) < 0 && errno != ENOENT)
    return fail_errno(errno, "remove " + shown);
  return {};
}

Result<> remove_entries(int dir_fd, dev_t device, const std::string& shown, int depth) {
  if (depth > kMaxDepth) return fail(Errc::exhausted, shown + ": nested too deep to remove");
  std::unique_ptr<DIR, CloseDir> dir(::fdopendir(::fcntl(dir_fd, F_DUPFD_CLOEXEC, 3)));
  if (!dir) return fail_errno(errno, "read " + shown);
  std::optional<Error> first;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name(entry->d_name);
    if (name == "." || name == "..") continue;
    auto removed = remove_entry(dir_fd, entry->d_name, device, shown + "/" + entry->d_name, depth);
    if (!removed && !first) first = std::move(removed).error();
  }
  if (first) return std::unexpected(*std::move(first));
  return {};
}

}  // namespace

std::vector<Mount> mounts() {
  std::vector<Mount> out;
  std::ifstream table("/proc/thread-self/mountinfo");
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);
    std::string skipped;
    std::string target;
    fields >> skipped >> skipped >> skipped >> skipped >> target;
    while (fields >> skipped && skipped != "-") {
    }
    Mount mount{.target = unescape(target), .type = ""};
    fields >> mount.type;
    out.push_back(std::move(mount));
  }
  return out;
}

Result<> unmount_below(const std::string& directory) {
  // A detached mount takes what is mounted below it along, so that most passes need one call, and
  // the last sees what is left.
  std::optional<Error> first;
  for (int pass = 0; pass < kMaxDepth; ++pass) {
    std::vector<std::string> detached;
    first.reset();
    for (const Mount& mount : mounts()) {
      if (!is_below(mount.target, directory)) continue;
      if (std::ranges::any_of(detached,
                              [&](const auto& above) { return is_below(mount.target, above); }))
        continue;
      if (::umount2(mount.target.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
        detached.push_back(mount.target);
      } else if (errno != EINVAL && errno != ENOENT && !first) {
        first = Error::from_errno(errno, "unmount " + mount.target);
      }
    }
    if (detached.empty()) break;
  }
  if (first) return std::unexpected(*std::move(first));
  return {};
}

Result<> remove_tree(const std::string& directory) {
  UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return errno == ENOENT ? Result<>{} : fail_errno(errno, "open " + directory);
  struct stat info{};
  if (::fstat(fd.get(), &info) < 0) return fail_errno(errno, "look at " + directory);
  TRY_DO(remove_entries(fd.get(), info.st_dev, directory, 0));
  if (::rmdir(directory.c_str()) < 0 && errno != ENOENT)
    return fail_errno(errno, "remove " + directory);
  return {};
}

}  // namespace heddle::process
