#include "dataplane/linux/sysctl.h"

#include <fcntl.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>

#include "common/base/unique_fd.h"
#include "dataplane/intent/validate.h"

namespace heddle::dataplane {
namespace {

std::string path_of(const std::string& name) {
  return "/proc/sys/" + name;
}

Result<> write_value(const std::string& name, const std::string& value) {
  UniqueFd fd(::open(path_of(name).c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, "set sysctl " + name);
  if (::write(fd.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size()))
    return fail_errno(errno, "set sysctl " + name + " to " + value);
  return {};
}

}  // namespace

Result<> write_sysctl(const std::string& name, const std::string& value) {
  TRY_DO(validate_sysctl(name, value));
  if (read_sysctl(name) == value) return {};
  return write_value(name, value);
}

Result<> write_interface_sysctl(const std::string& name, const std::string& value) {
  TRY_DO(validate_interface_sysctl(name, value));
  if (read_sysctl(name) == value) return {};
  TRY_DO(write_value(name, value));
  // A value that never reads back would be written at every audit.
  const auto now = read_sysctl(name);
  if (!now || *now == value) return {};
  return fail(Errc::invalid, "sysctl " + name + " shows \"" + *now + "\" when set to \"" + value +
                                 "\"; write it that way");
}

std::optional<std::string> read_sysctl(const std::string& name) {
  UniqueFd fd(::open(path_of(name).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return std::nullopt;
  char buffer[64];
  const ssize_t size = ::read(fd.get(), buffer, sizeof buffer);
  if (size < 0) return std::nullopt;
  std::string value(buffer, static_cast<std::size_t>(size));
  while (!value.empty() && std::isspace(static_cast<unsigned char>(value.back()))) value.pop_back();
  return value;
}

}  // namespace heddle::dataplane
