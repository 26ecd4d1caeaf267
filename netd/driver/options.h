#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "common/base/result.h"
#include "dataplane/intent/host_state.h"
#include "netd/model/objects.h"

// What drivers share: reading a network's options, and the parts of an attachment that do not
// depend on the driver.
namespace heddle::driver {

struct OptionHelp {
  std::string_view name;
  std::string_view accepts;
};

// Errors: `invalid` naming an option that is not among `known`, and what is.
Result<> check_options(const model::Network& network, std::span<const OptionHelp> known);

struct MtuRange {
  std::uint32_t least = 576;  // RFC 791: what every host must take
  std::uint32_t most = 65535;
};
// The option `mtu`; absent when it is not set.
// Errors: `invalid` unless it is a number within the range.
Result<std::optional<std::uint32_t>> parse_mtu(const model::Network& network, MtuRange range);

// Errors: `invalid` unless every subnet is IPv4, holds its gateway, and has room for endpoints.
Result<> check_subnets(const model::Network& network);

// The network's subnet that holds the address; null when none does.
const model::Subnet* subnet_of(const model::Network& network, const IpAddr& address);

inline const Prefix kEverywhere{};  // 0.0.0.0/0

}  // namespace heddle::driver
