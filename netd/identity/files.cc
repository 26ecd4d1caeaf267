#include "netd/identity/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "common/base/unique_fd.h"

namespace heddle::identity {
namespace {

Result<> write_all(int fd, std::string_view content, const std::string& file) {
  while (!content.empty()) {
    const ::ssize_t count = ::write(fd, content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, "write " + file);
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

// Makes a rename durable.
Result<> sync_directory(const std::string& file) {
  const std::size_t slash = file.rfind('/');
  const std::string directory =
      slash == std::string::npos ? "." : (slash == 0 ? "/" : file.substr(0, slash));
  const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return fail_errno(errno, "sync " + directory);
  return {};
}

}  // namespace

Result<> write_private(const std::string& file, std::string_view content) {
  const std::string fresh = file + ".new";
  (void)::unlink(fresh.c_str());
  const auto write_fresh = [&]() -> Result<> {
    const UniqueFd fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd) return fail_errno(errno, "create " + fresh);
    if (::fchmod(fd.get(), 0600) != 0) return fail_errno(errno, "chmod " + fresh);
    TRY_DO(write_all(fd.get(), content, fresh));
    if (::fsync(fd.get()) != 0) return fail_errno(errno, "sync " + fresh);
    if (::rename(fresh.c_str(), file.c_str()) != 0) return fail_errno(errno, "replace " + file);
    return {};
  };
  if (auto written = write_fresh(); !written) {
    (void)::unlink(fresh.c_str());
    return written;
  }
  return sync_directory(file);
}

Result<std::string> read_private(const std::string& file, std::size_t max_bytes) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return fail_errno(errno, "open " + file);
  std::string content;
  char buffer[16384];
  for (;;) {
    const ::ssize_t count = ::read(fd.get(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, "read " + file);
    if (count == 0) return content;
    content.append(buffer, static_cast<std::size_t>(count));
    if (content.size() > max_bytes) {
      return fail(Errc::invalid, file + " is larger than " + std::to_string(max_bytes) + " bytes");
    }
  }
}

}  // namespace heddle::identity
