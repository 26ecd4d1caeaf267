#include "netd/store/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cstdio>
#include <fstream>
#include <sstream>

namespace heddle::store {
namespace {

// The holder by /proc/locks (proc(5)): `1: FLOCK  ADVISORY  WRITE 4711 fe:01:9876 0 EOF`.
// Absent when it lives in another pid namespace.
std::string find_holder(int fd) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return {};
  char inode[64];
  std::snprintf(inode, sizeof inode, "%02x:%02x:%llu", major(status.st_dev), minor(status.st_dev),
                static_cast<unsigned long long>(status.st_ino));
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    std::istringstream words(line);
    std::string number, type, mode, access, pid, file;
    words >> number >> type >> mode >> access >> pid >> file;
    if (type == "FLOCK" && file == inode && pid != "0" && pid != "-1") {
      return " by process " + pid;
    }
  }
  return {};
}

}  // namespace

Result<UniqueFd> lock_file(const std::string& file) {
  UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return fail_errno(errno, "open " + file);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno != EWOULDBLOCK) return fail_errno(errno, "lock " + file);
  return fail(Errc::in_use, file + " is in use" + find_holder(fd.get()) +
                                "; stop that daemon, or choose another --state-dir");
}

}  // namespace heddle::store
