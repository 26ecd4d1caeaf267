#include "dataplane/linux/sysctl.h"

#include <fcntl.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>

#include "common/base/unique_fd.h"
#include "dataplane/intent/validate.h"

namespace heddle::dataplane {
namespace {

UniqueFd open_sysctl(const std::string& name, int flags, ProcRoot root) {
  const std::string path = (root.fd < 0 ? "/proc/sys/" : "sys/") + name;
  return UniqueFd(::openat(root.fd < 0 ? AT_FDCWD : root.fd, path.c_str(), flags | O_CLOEXEC));
}

Result<> write_value(const std::string& name, const std::string& value, ProcRoot root) {
  UniqueFd fd = open_sysctl(name, O_WRONLY, root);
  if (!fd) return fail_errno(errno, "set sysctl " + name);
  if (::write(fd.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size()))
    return fail_errno(errno, "set sysctl " + name + " to " + value);
  return {};
}

}  // namespace

Result<> write_sysctl(const std::string& name, const std::string& value, ProcRoot root) {
  TRY_DO(validate_sysctl(name, value));
  if (read_sysctl(name, root) == value) return {};
  return write_value(name, value, root);
}

Result<bool> put_sysctl(const std::string& name, const std::string& value, ProcRoot root) {
  TRY_DO(validate_sysctl(name, value));
  auto written = write_value(name, value, root);
  if (written) return true;
  if (written.error().sys_errno() == ENOENT) return false;
  return std::unexpected(std::move(written).error());
}

Result<> write_interface_sysctl(const std::string& name, const std::string& value, ProcRoot root) {
  TRY_DO(validate_interface_sysctl(name, value));
  if (read_sysctl(name, root) == value) return {};
  TRY_DO(write_value(name, value, root));
  // A value that never reads back would be written at every audit.
  const auto now = read_sysctl(name, root);
  if (!now || *now == value) return {};
  return fail(Errc::invalid, "sysctl " + name + " shows \"" + *now + "\" when set to \"" + value +
                                 "\"; write it that way");
}

std::optional<std::string> read_sysctl(const std::string& name, ProcRoot root) {
  UniqueFd fd = open_sysctl(name, O_RDONLY, root);
  if (!fd) return std::nullopt;
  char buffer[64];
  const ssize_t size = ::read(fd.get(), buffer, sizeof buffer);
  if (size < 0) return std::nullopt;
  std::string value(buffer, static_cast<std::size_t>(size));
  while (!value.empty() && std::isspace(static_cast<unsigned char>(value.back()))) value.pop_back();
  return value;
}

}  // namespace heddle::dataplane
