#include "proxy/http/syntax.h"

#include <array>

namespace heddle::http {
namespace {

enum : std::uint8_t { kToken = 1, kValue = 2, kTarget = 4, kHost = 8 };

constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> classes{};
  for (int c = 0; c < 256; ++c) {
    const bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (alnum || (c != 0 && std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) !=
                                std::string_view::npos)) {
      classes[c] |= kToken;
    }
    if (c == '\t' || (c >= ' ' && c != 0x7f)) classes[c] |= kValue;
    if (c > ' ' && c < 0x7f && c != '#') classes[c] |= kTarget;
    if (alnum || c == '-' || c == '.' || c == '_' || c == '~') classes[c] |= kHost;
  }
  return classes;
}

constexpr auto kClasses = make_classes();

bool all_of(std::string_view text, std::uint8_t wanted) {
  for (const unsigned char c : text) {
    if (!(kClasses[c] & wanted)) return false;
  }
  return true;
}

bool is_ipv6_text(std::string_view text) {
  int colons = 0;
  for (const char c : text) {
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (c == ':') ++colons;
    if (!hex && c != ':' && c != '.') return false;
  }
  return colons >= 2 && text.size() <= 45;
}

bool is_port(std::string_view text) {
  const auto port = parse_decimal(text);
  return text.size() <= 5 && port && *port <= 65535;
}

}  // namespace

bool is_token_char(char c) {
  return kClasses[static_cast<unsigned char>(c)] & kToken;
}
bool is_token(std::string_view text) {
  return !text.empty() && all_of(text, kToken);
}
bool is_field_value(std::string_view text) {
  return all_of(text, kValue);
}
bool is_target_text(std::string_view text) {
  return all_of(text, kTarget);
}

bool is_authority(std::string_view text) {
  std::string_view rest;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos || !is_ipv6_text(text.substr(1, end - 1))) return false;
    rest = text.substr(end + 1);
  } else {
    const auto colon = text.find(':');
    const std::string_view name = text.substr(0, colon);
    if (name.empty() || name.size() > 255 || !all_of(name, kHost)) return false;
    rest = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
  }
  if (rest.empty()) return true;
  return rest.front() == ':' && is_port(rest.substr(1));
}

char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

bool iequals(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (to_lower(a[i]) != to_lower(b[i])) return false;
  }
  return true;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::optional<std::uint64_t> parse_decimal(std::string_view text) {
  constexpr std::uint64_t kMost = INT64_MAX;
  if (text.empty()) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (kMost - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

}  // namespace heddle::http
