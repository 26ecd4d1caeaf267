#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/net/ip.h"
#include "common/net/link.h"
#include "netd/model/objects.h"

// Reads single fields of messages. Each names its field in the error: `gateway: '10.0.0' is ...`.
namespace heddle::api {

inline constexpr std::size_t kMaxPath = 4096;         // PATH_MAX
inline constexpr std::size_t kMaxHostName = 253;      // RFC 1035, section 2.3.4, as text
inline constexpr std::size_t kMaxEntries = 4096;      // of a map or list
inline constexpr std::size_t kMaxValue = 128 * 1024;  // MAX_ARG_STRLEN: one argument of execve(2)
inline constexpr std::size_t kMaxSysctls = 64;
inline constexpr std::size_t kMaxSysctlValue = 256;
inline constexpr std::size_t kMaxLinkLocal = 64;
inline constexpr std::size_t kMaxSubnets = 256;  // of a network

// One line for people: no control bytes, at most `max` bytes. May be empty.
Result<std::string> line_field(std::string_view field, const std::string& value, std::size_t max);
// An argument or environment value: anything but NUL, at most kMaxValue bytes.
Result<std::string> argument_field(std::string_view field, const std::string& value);
// An object's id as the store takes it: at most 64 of [a-z0-9._-]. Empty: none, or not given yet.
Result<model::Id> id_field(std::string_view field, const std::string& value);
// model::check_name; empty only where `allow` says so.
enum class Empty { refused, allowed };
Result<std::string> name_field(std::string_view field, const std::string& value, Empty empty);
// An absolute path without control bytes, or empty.
Result<std::string> path_field(std::string_view field, const std::string& value);
// An interface name as the kernel takes it (dev_valid_name), or empty.
Result<std::string> interface_field(std::string_view field, const std::string& value);

Result<IpAddr> address_field(std::string_view field, const std::string& value);
Result<Prefix> prefix_field(std::string_view field, const std::string& value);
Result<IfAddr> if_addr_field(std::string_view field, const std::string& value);
Result<SocketAddr> socket_field(std::string_view field, const std::string& value);
Result<Mac> mac_field(std::string_view field, const std::string& value);  // empty: none
Result<std::uint16_t> port_field(std::string_view field, std::uint32_t value);
Result<model::Time> time_field(std::string_view field, std::int64_t seconds);

// The address of a network's subnet, by the name of who has it.
Result<std::map<std::string, IpAddr>> reserved_field(
    std::string_view field, const std::map<std::string, std::string>& from);
// One of 169.254.0.0/16 (RFC 3927) or fe80::/10 (RFC 4291, section 2.5.6), with its length.
Result<IfAddr> link_local_field(std::string_view field, const std::string& value);
// `net.ipv4.conf.IFNAME.rp_filter` -> `2`: names of words of letters, digits, `_` and `-`, joined
// by dots, so that none leads out of /proc/sys.
Result<> check_sysctls(std::string_view field, const std::map<std::string, std::string>& sysctls);

// Of labels, options and the like: keys are lines and not empty, values are arguments.
Result<> check_map(std::string_view field, const std::map<std::string, std::string>& map);

struct Range {
  std::int64_t least;
  std::int64_t most;
};
Result<> check_range(std::string_view field, std::int64_t value, Range range);
Result<> check_count(std::string_view field, std::size_t count, std::size_t most);

// `ports[3]`
std::string at(std::string_view field, int index);

}  // namespace heddle::api
