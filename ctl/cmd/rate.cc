#include "ctl/cmd/rate.h"

#include <algorithm>
#include <optional>

namespace heddle::cmd {
namespace {

constexpr std::uint64_t kLeast = 1'000;
constexpr std::uint64_t kMost = 10'000'000'000'000;

std::optional<std::uint64_t> unit_of(std::string_view word) {
  if (word.empty() || word == "bit") return 1;
  if (word == "kbit") return 1'000;
  if (word == "mbit") return 1'000'000;
  if (word == "gbit") return 1'000'000'000;
  if (word == "tbit") return 1'000'000'000'000;
  return std::nullopt;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Exact: a fraction of a bit is no rate. Absent: not a rate from kLeast to kMost.
std::optional<std::uint64_t> read(std::string_view text) {
  const auto number_end =
      std::ranges::find_if_not(text, [](char c) { return is_digit(c) || c == '.'; });
  const auto length = static_cast<std::size_t>(number_end - text.begin());
  const std::string_view number = text.substr(0, length);
  auto unit = unit_of(text.substr(length));
  const auto dot = number.find('.');
  const std::string_view whole = number.substr(0, dot);
  if (!unit || whole.empty() || whole.size() > 14) return std::nullopt;
  std::uint64_t rate = 0;
  for (const char digit : whole) rate = rate * 10 + static_cast<std::uint64_t>(digit - '0');
  if (rate > kMost / *unit) return std::nullopt;
  rate *= *unit;
  if (dot == std::string_view::npos) return rate >= kLeast ? std::optional(rate) : std::nullopt;
  const std::string_view fraction = number.substr(dot + 1);
  if (fraction.empty()) return std::nullopt;
  for (const char digit : fraction) {
    if (!is_digit(digit) || *unit % 10 != 0) return std::nullopt;
    *unit /= 10;
    rate += *unit * static_cast<std::uint64_t>(digit - '0');
  }
  return rate >= kLeast && rate <= kMost ? std::optional(rate) : std::nullopt;
}

}  // namespace

Result<std::uint64_t> parse_rate(std::string_view flag, const std::string& text) {
  if (text.empty()) return 0;
  std::string lower = text;
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  if (const auto rate = read(lower)) return *rate;
  return fail(Errc::invalid,
              std::string(flag) + " '" + text +
                  "' must be bits a second from 1kbit to 10tbit, as 800kbit, 10mbit, "
                  "2.5gbit or 1000000");
}

}  // namespace heddle::cmd
