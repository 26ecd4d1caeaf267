#include "proxy/route/trace.h"

#include <algorithm>

namespace heddle::route {
namespace {

bool is_hex(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_zero(std::string_view text) {
  return text.find_first_not_of('0') == std::string_view::npos;
}

}  // namespace

// `00-<32 hex>-<16 hex>-<2 hex>`; later versions may have more after it.
std::string_view trace_id_of(const http::RequestHead& request) {
  const std::string_view value = request.value_of("traceparent").value_or("");
  constexpr std::size_t kLength = 55;
  if (value.size() < kLength || value[2] != '-' || value[35] != '-' || value[52] != '-') return {};
  const std::string_view version = value.substr(0, 2);
  const std::string_view trace = value.substr(3, 32);
  const std::string_view parent = value.substr(36, 16);
  const bool longer = value.size() > kLength;
  if (!is_hex(version) || version == "ff" || !is_hex(trace) || !is_hex(parent) ||
      !is_hex(value.substr(53, 2)) || is_zero(trace) || is_zero(parent)) {
    return {};
  }
  if (longer && (version == "00" || value[kLength] != '-')) return {};
  return trace;
}

}  // namespace heddle::route
