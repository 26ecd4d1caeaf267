#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace heddle {

inline constexpr std::uint64_t kLeastRate = 1'000;  // bits a second
inline constexpr std::uint64_t kMostRate = 10'000'000'000'000;
inline constexpr std::string_view kRateForm =
    "bits a second from 1kbit to 10tbit, as 800kbit, 10mbit, 2.5gbit or 1000000";

// Bits a second: `10mbit`, `2.5gbit`, `1000000`; units of 1000 as tc(8) has them, in any case.
// Exact: a fraction of a bit is no rate. Absent: no rate from kLeastRate to kMostRate.
std::optional<std::uint64_t> parse_rate(std::string_view text);

// The shortest text that parse_rate() reads as `bits`.
std::string format_rate(std::uint64_t bits);

}  // namespace heddle
