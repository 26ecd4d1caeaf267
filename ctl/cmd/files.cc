#include "ctl/cmd/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <ostream>

#include "common/base/unique_fd.h"

namespace heddle::cmd {
namespace {

Result<> write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t wrote = ::write(fd, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return fail_errno(wrote < 0 ? errno : ENOSPC, "write " + path);
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return {};
}

}  // namespace

Result<> write_result(Context& context, const std::string& path, std::string_view text) {
  if (path.empty()) {
    context.out << text;
    return {};
  }
  struct stat info{};
  const bool there = ::stat(path.c_str(), &info) == 0;
  if (there && !S_ISREG(info.st_mode)) {
    // A device or a pipe: nothing that could be replaced.
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd) return fail_errno(errno, "open " + path);
    return write_all(fd.get(), text, path);
  }
  const std::string next = path + ".new";
  UniqueFd fd(::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd) return fail_errno(errno, "create " + next);
  auto written = write_all(fd.get(), text, next);
  if (written && ::rename(next.c_str(), path.c_str()) < 0)
    written = fail_errno(errno, "rename " + next + " to " + path);
  if (!written) ::unlink(next.c_str());
  return written;
}

Result<std::string> read_whole(const std::string& path, std::size_t max_bytes) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, "open " + path);
  std::string text;
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "read " + path);
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > max_bytes)
      return fail(Errc::invalid, path + ": larger than " + std::to_string(max_bytes) + " bytes");
  }
}

}  // namespace heddle::cmd
