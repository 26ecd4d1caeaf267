#include "dataplane/linux/sysctl.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <string_view>

#include "common/base/unique_fd.h"
#include "common/net/link.h"

namespace heddle::dataplane {
namespace {

// `*` stands for one device, `all` or `default`.
constexpr std::array<std::string_view, 11> kWritable{
    "net/ipv4/ip_forward",
    "net/ipv4/conf/*/forwarding",
    "net/ipv4/conf/*/rp_filter",
    "net/ipv4/conf/*/proxy_arp",
    "net/ipv4/conf/*/accept_local",
    "net/ipv4/conf/*/route_localnet",
    "net/ipv4/conf/*/send_redirects",
    "net/ipv6/conf/*/forwarding",
    "net/ipv6/conf/*/disable_ipv6",
    "net/ipv6/conf/*/accept_ra",
    "net/ipv4/ip_unprivileged_port_start",
};

bool is_device(std::string_view text) {
  return !text.empty() && text.size() <= kMaxIfName && text != "." && text != ".." &&
         std::ranges::all_of(text, [](unsigned char c) { return c > ' ' && c != '/' && c < 0x7f; });
}

bool matches(std::string_view pattern, std::string_view name) {
  const auto star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == name;
  const auto before = pattern.substr(0, star);
  const auto after = pattern.substr(star + 1);
  return name.size() > before.size() + after.size() && name.starts_with(before) &&
         name.ends_with(after) &&
         is_device(name.substr(before.size(), name.size() - before.size() - after.size()));
}

std::string path_of(const std::string& name) { return "/proc/sys/" + name; }

}  // namespace

Result<> validate_sysctl(const std::string& name, const std::string& value) {
  if (!std::ranges::any_of(kWritable, [&](auto pattern) { return matches(pattern, name); }))
    return fail(Errc::invalid, "sysctl " + name + " is none of those that Heddle sets");
  if (value.empty() || value.size() > 5 ||
      !std::ranges::all_of(value, [](unsigned char c) { return std::isdigit(c); }))
    return fail(Errc::invalid, "sysctl " + name + " takes a number, not \"" + value + "\"");
  return {};
}

Result<> write_sysctl(const std::string& name, const std::string& value) {
  TRY_DO(validate_sysctl(name, value));
  if (read_sysctl(name) == value) return {};
  UniqueFd fd(::open(path_of(name).c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, "set sysctl " + name);
  if (::write(fd.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size()))
    return fail_errno(errno, "set sysctl " + name + " to " + value);
  return {};
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
