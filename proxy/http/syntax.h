#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

// Character classes and small grammars of RFC 9110 and RFC 9112.
namespace heddle::http {

bool is_token_char(char c);
bool is_token(std::string_view text);        // not empty
bool is_field_value(std::string_view text);  // no CTL but HTAB; obs-text allowed
bool is_target_text(std::string_view text);  // visible ASCII without '#'

// `uri-host [":" port]`: a name of letters, digits, `-._~`, an IPv4 address, or `[IPv6]`; not
// empty.
bool is_authority(std::string_view text);

char to_lower(char c);
bool iequals(std::string_view a, std::string_view b);  // ASCII, without case
std::string_view trim(std::string_view text);          // SP and HTAB at both ends

// 1*DIGIT without sign, below 2^63.
std::optional<std::uint64_t> parse_decimal(std::string_view text);

// Calls `visit` with each trimmed, non-empty member of a comma-separated list.
template <class Visit>
void for_each_member(std::string_view list, Visit visit) {
  while (true) {
    const auto comma = list.find(',');
    const std::string_view member = trim(list.substr(0, comma));
    if (!member.empty()) visit(member);
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace heddle::http
