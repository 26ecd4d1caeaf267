#include "netd/api/field.h"

#include <algorithm>
#include <chrono>

namespace heddle::api {
namespace {

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

bool is_sysctl_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

std::string label(std::string_view field) {
  return std::string(field) + ": ";
}

}  // namespace

Result<> check_range(std::string_view field, std::int64_t value, Range range) {
  if (value >= range.least && value <= range.most) return {};
  return fail(Errc::invalid, label(field) + std::to_string(value) + " is not within " +
                                 std::to_string(range.least) + " to " + std::to_string(range.most));
}

Result<> check_count(std::string_view field, std::size_t count, std::size_t most) {
  if (count <= most) return {};
  return fail(Errc::invalid, label(field) + std::to_string(count) + " entries; at most " +
                                 std::to_string(most) + " are allowed");
}

Result<std::string> line_field(std::string_view field, const std::string& value, std::size_t max) {
  if (value.size() > max) {
    return fail(Errc::invalid, label(field) + std::to_string(value.size()) + " bytes; at most " +
                                   std::to_string(max) + " are allowed");
  }
  if (std::ranges::any_of(value, is_control)) {
    return fail(Errc::invalid, label(field) + "contains a control character");
  }
  return value;
}

Result<std::string> argument_field(std::string_view field, const std::string& value) {
  if (value.size() > kMaxValue) {
    return fail(Errc::invalid, label(field) + std::to_string(value.size()) + " bytes; at most " +
                                   std::to_string(kMaxValue) + " are allowed");
  }
  if (value.find('\0') != std::string::npos) {
    return fail(Errc::invalid, label(field) + "contains a NUL byte");
  }
  return value;
}

Result<model::Id> id_field(std::string_view field, const std::string& value) {
  const auto ok = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  };
  if (value.size() <= 64 && std::ranges::all_of(value, ok)) return value;
  return fail(Errc::invalid, label(field) + "must be an id: at most 64 of a-z, 0-9, '.', '_', '-'");
}

Result<std::string> name_field(std::string_view field, const std::string& value, Empty empty) {
  if (value.empty() && empty == Empty::allowed) return value;
  TRY_DO(model::check_name(field, value));
  return value;
}

Result<std::string> path_field(std::string_view field, const std::string& value) {
  TRY(auto path, line_field(field, value, kMaxPath));
  if (path.empty() || path.front() == '/') return path;
  return fail(Errc::invalid, label(field) + "'" + path + "' is not an absolute path");
}

Result<std::string> interface_field(std::string_view field, const std::string& value) {
  TRY(auto name, line_field(field, value, kMaxIfName));
  if (name == "." || name == ".." || name.find_first_of("/: ") != std::string::npos) {
    return fail(Errc::invalid, label(field) + "'" + name + "' is no interface name");
  }
  return name;
}

Result<IpAddr> address_field(std::string_view field, const std::string& value) {
  return IpAddr::parse(value).during(field);
}

Result<Prefix> prefix_field(std::string_view field, const std::string& value) {
  return Prefix::parse(value).during(field);
}

Result<IfAddr> if_addr_field(std::string_view field, const std::string& value) {
  return IfAddr::parse(value).during(field);
}

Result<SocketAddr> socket_field(std::string_view field, const std::string& value) {
  return SocketAddr::parse(value).during(field);
}

Result<Mac> mac_field(std::string_view field, const std::string& value) {
  if (value.empty()) return Mac{};
  TRY(const auto mac, Mac::parse(value).during(field));
  if (mac.is_multicast()) {
    return fail(Errc::invalid, label(field) + "'" + value + "' is a multicast address");
  }
  return mac;
}

Result<std::uint16_t> port_field(std::string_view field, std::uint32_t value) {
  TRY_DO(check_range(field, value, {1, 65535}));
  return static_cast<std::uint16_t>(value);
}

Result<model::Time> time_field(std::string_view field, std::int64_t seconds) {
  constexpr std::int64_t kYear10000 = 253402300800;
  TRY_DO(check_range(field, seconds, {0, kYear10000 - 1}));
  return model::Time(std::chrono::seconds(seconds));
}

Result<std::map<std::string, IpAddr>> reserved_field(
    std::string_view field, const std::map<std::string, std::string>& from) {
  TRY_DO(check_map(field, from));
  std::map<std::string, IpAddr> to;
  for (const auto& [name, text] : from) {
    TRY(const IpAddr address, address_field(std::string(field) + "[" + name + "]", text));
    to.emplace(name, address);
  }
  return to;
}

Result<IfAddr> link_local_field(std::string_view field, const std::string& value) {
  TRY(const auto address, if_addr_field(field, value));
  const Prefix v4 = Prefix::containing(IpAddr::v4(0xa9fe0000), 16);
  const Prefix v6 = Prefix::containing(IpAddr::v6({0xfe, 0x80}), 10);
  if (v4.contains(address.address) || v6.contains(address.address)) return address;
  return fail(Errc::invalid,
              label(field) + value + " is of neither " + v4.format() + " nor " + v6.format());
}

Result<> check_sysctls(std::string_view field, const std::map<std::string, std::string>& sysctls) {
  TRY_DO(check_count(field, sysctls.size(), kMaxSysctls));
  for (const auto& [name, value] : sysctls) {
    TRY_DO(line_field(std::string(field) + " name", name, kMaxHostName));
    const bool words = std::ranges::all_of(name, is_sysctl_character) && !name.starts_with('.') &&
                       !name.ends_with('.') && name.find("..") == std::string::npos;
    if (!words || !name.starts_with("net.")) {
      return fail(Errc::invalid, label(field) + "'" + name +
                                     "' must be like net.ipv4.conf.IFNAME.rp_filter: words of "
                                     "a-z, A-Z, 0-9, '_', '-', joined by dots");
    }
    TRY_DO(line_field(std::string(field) + "[" + name + "]", value, kMaxSysctlValue));
  }
  return {};
}

Result<> check_map(std::string_view field, const std::map<std::string, std::string>& map) {
  TRY_DO(check_count(field, map.size(), kMaxEntries));
  for (const auto& [key, value] : map) {
    if (key.empty()) return fail(Errc::invalid, label(field) + "an empty key");
    TRY_DO(line_field(std::string(field) + " key", key, kMaxPath));
    TRY_DO(argument_field(std::string(field) + "[" + key + "]", value));
  }
  return {};
}

std::string at(std::string_view field, int index) {
  return std::string(field) + "[" + std::to_string(index) + "]";
}

}  // namespace heddle::api
