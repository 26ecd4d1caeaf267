#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "netd/driver/node_facts.h"
#include "netd/model/objects.h"

// What drivers share of the checks of a network: its options and its subnets. Pure.
namespace heddle::driver {

struct OptionHelp {
  std::string_view name;
  std::string_view accepts;      // for people
  std::string_view docker = {};  // what Docker calls it; stored under `name`
  enum class Value { text, flag } value = Value::text;
  // Whether a network that exists may get another value.
  enum class Change { fixed, live } change = Change::fixed;
};
using Options = std::map<std::string, std::string>;

// The same options under their own names, flags as `true` and `false`. "" stays: it stands for an
// option to be taken away.
// Errors: `invalid` naming an option that is not among `known` and the nearest that is, one that is
// given twice under its two names, or a flag that is none.
Result<Options> normalise_options(std::string_view driver, std::span<const OptionHelp> known,
                                  const Options& given);

// Errors: `invalid` naming an option that is not among `known` or a flag that is neither `true` nor
// `false`.
Result<> check_options(const model::Network& network, std::span<const OptionHelp> known);

// A flag of a network whose options were checked.
bool flag(const model::Network& network, const std::string& option, bool otherwise);
// "" when it is not set.
std::string text(const model::Network& network, const std::string& option);

inline constexpr std::uint32_t kLeastMtu = 576;     // RFC 791: what every host must take
inline constexpr std::uint32_t kLeastMtuV6 = 1280;  // RFC 8200, section 5
struct MtuRange {
  std::uint32_t least = kLeastMtu;
  std::uint32_t most = 65535;
};
// The option `mtu`; absent when it is not set.
// Errors: `invalid` unless it is a number within the range, which starts at 1280 in a network with
// an IPv6 subnet.
Result<std::optional<std::uint32_t>> parse_mtu(const model::Network& network, MtuRange range);
// The MTU of a network whose options were checked; `otherwise`, or what IPv6 needs, when it is not
// set.
std::uint32_t mtu_or(const model::Network& network, std::uint32_t otherwise);

// How long, in seconds, a client returns to the backend of a service that it used last: the option
// `affinity` of networks whose services have VIPs. 0: not set, it need not.
// Errors: `invalid` unless it is a number of seconds up to a day.
Result<std::uint32_t> parse_affinity(const model::Network& network);
inline constexpr OptionHelp kAffinity{
    "affinity", "seconds, 1 to 86400: clients return to the backend of a service that they used",
    "", OptionHelp::Value::text, OptionHelp::Change::live};

enum class Family { v4, v6 };
Family family_of(const Prefix& prefix);
std::string_view format(Family family);  // IPv4
bool has_family(const model::Network& network, Family family);

// Errors: `invalid` unless there is a subnet, each is from /8 to /30 or from /16 to /126, and each
// gateway there is is an address that an endpoint could have.
Result<> check_subnets(const model::Network& network);
// Errors: `unsupported` naming a subnet that is IPv6.
Result<> check_v4_only(const model::Network& network);

// The network's subnet that holds the address; null when none does.
const model::Subnet* subnet_of(const model::Network& network, const IpAddr& address);

// `name`, when it is 1 to 15 of letters, digits, '-', '_' and '.': what the kernel takes
// (dev_valid_name), narrowed to what tools take without quoting.
// Errors: `invalid` with the option and what it accepts.
Result<> check_device_name(std::string_view option, const std::string& name);

// The device that endpoints lie on: options `parent` and `vlan`. A parent `eth0.50` that the host
// does not have stands for VLAN 50 of eth0.
struct Parent {
  std::string device;      // eth0.50
  std::string base;        // eth0, when `device` is a VLAN that we make; else ""
  std::uint16_t vlan = 0;  // 0: `device` is the host's own
};
Parent parent_of(const model::Network& network, const NodeFacts& facts);
// The parent's name, whatever the host has.
std::string parent_device(const model::Network& network);
// Of the device that packets leave the host through; the default when it is not there.
std::uint32_t parent_mtu(const Parent& parent, const NodeFacts& facts);

// Errors: `invalid` naming the option; `not_found` for a device that the host does not have;
// `unavailable` for one that is down; `unsupported` when the kernel lacks VLANs.
Result<> check_parent(const model::Network& network, const NodeFacts& facts);

}  // namespace heddle::driver
