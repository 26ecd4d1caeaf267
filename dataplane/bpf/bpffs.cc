#include "dataplane/bpf/bpffs.h"

#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace heddle::bpf {
namespace {

// A mount point is on another device than its parent directory.
Result<bool> is_mount_point(const std::string& path) {
  struct stat here{};
  struct stat parent{};
  if (::stat(path.c_str(), &here) != 0) return fail_errno(errno, "look at " + path);
  if (::stat((path + "/..").c_str(), &parent) != 0) return fail_errno(errno, "look above " + path);
  return here.st_dev != parent.st_dev;
}

Result<bool> is_bpffs(const std::string& path) {
  struct statfs found{};
  if (::statfs(path.c_str(), &found) != 0) return fail_errno(errno, "look at " + path);
  return static_cast<unsigned long>(found.f_type) == BPF_FS_MAGIC;
}

}  // namespace

Result<> mount_bpffs(const std::string& path) {
  std::error_code failed;
  std::filesystem::create_directories(path, failed);
  if (failed) return fail_errno(failed.value(), "make directory " + path);
  TRY(const bool mounted, is_mount_point(path));
  if (mounted) {
    TRY(const bool ours, is_bpffs(path));
    if (ours) return {};
    return fail(Errc::conflict, path +
                                    " is a mount point of another file system: unmount it, or "
                                    "choose another --run-dir");
  }
  if (::mount("bpf", path.c_str(), "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") != 0)
    return fail_errno(errno, "mount a BPF file system at " + path);
  return {};
}

Result<> unmount_bpffs(const std::string& path) {
  struct stat here{};
  if (::stat(path.c_str(), &here) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return {};
    return fail_errno(errno, "look at " + path);
  }
  TRY(const bool ours, is_bpffs(path));
  TRY(const bool mounted, is_mount_point(path));
  if (ours && mounted && ::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0)
    return fail_errno(errno, "unmount " + path);
  if (!ours && mounted) return {};
  if (::rmdir(path.c_str()) != 0 && errno != ENOENT && errno != ENOTEMPTY && errno != EEXIST)
    return fail_errno(errno, "remove directory " + path);
  return {};
}

}  // namespace heddle::bpf
