#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace heddle::cmd {

// Bits a second: `10mbit`, `2.5gbit`, `800kbit`, `1000000`; units of 1000 as tc(8) has them. "": 0.
// Errors: `invalid` with the flag and what it takes.
Result<std::uint64_t> parse_rate(std::string_view flag, const std::string& text);

}  // namespace heddle::cmd
