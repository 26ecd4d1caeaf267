#include "common/net/rate.h"

#include <algorithm>
#include <array>
#include <utility>

namespace heddle {
namespace {

constexpr auto kUnits =
    std::to_array<std::pair<std::string_view, std::uint64_t>>({{"tbit", 1'000'000'000'000},
                                                               {"gbit", 1'000'000'000},
                                                               {"mbit", 1'000'000},
                                                               {"kbit", 1'000},
                                                               {"bit", 1},
                                                               {"", 1}});

std::optional<std::uint64_t> unit_of(std::string_view word) {
  const auto found = std::ranges::find(kUnits, word, &decltype(kUnits)::value_type::first);
  return found == kUnits.end() ? std::nullopt : std::optional(found->second);
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

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
  if (rate > kMostRate / *unit) return std::nullopt;
  rate *= *unit;
  if (dot == std::string_view::npos) return rate;
  const std::string_view fraction = number.substr(dot + 1);
  if (fraction.empty()) return std::nullopt;
  for (const char digit : fraction) {
    if (!is_digit(digit) || *unit % 10 != 0) return std::nullopt;
    *unit /= 10;
    rate += *unit * static_cast<std::uint64_t>(digit - '0');
  }
  return rate;
}

}  // namespace

std::optional<std::uint64_t> parse_rate(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  const auto rate = read(lower);
  return rate && *rate >= kLeastRate && *rate <= kMostRate ? rate : std::nullopt;
}

std::string format_rate(std::uint64_t bits) {
  for (const auto& [word, unit] : kUnits) {
    if (bits >= unit && bits % (unit >= 1000 ? unit / 1000 : 1) == 0) {
      std::string out = std::to_string(bits / unit);
      std::string fraction = unit >= 1000 ? std::to_string(1000 + bits % unit / (unit / 1000)) : "";
      while (fraction.ends_with('0')) fraction.pop_back();
      if (fraction.size() > 1) out += "." + fraction.substr(1);
      return out + std::string(word);
    }
  }
  return std::to_string(bits) + "bit";
}

}  // namespace heddle
