#include "proxy/listener/grpc.h"

#include <algorithm>

#include "proxy/http/syntax.h"

namespace heddle::listener {
namespace {

constexpr std::string_view kType = "application/grpc";
constexpr std::size_t kMostDigits = 8;
constexpr std::int64_t kMostHours = 24 * 365;  // longer is for ever

}  // namespace

bool is_grpc(const http::RequestHead& head) {
  const std::string_view type = head.value_of("content-type").value_or("");
  if (!type.starts_with(kType)) return false;
  return type.size() == kType.size() || type[kType.size()] == '+' || type[kType.size()] == ';';
}

std::optional<std::chrono::milliseconds> grpc_timeout(const http::RequestHead& head) {
  const std::string_view text = head.value_of("grpc-timeout").value_or("");
  if (text.size() < 2 || text.size() > kMostDigits + 1) return std::nullopt;
  const auto digits = http::parse_decimal(text.substr(0, text.size() - 1));
  if (!digits) return std::nullopt;
  using std::chrono::milliseconds;
  const auto count = static_cast<std::int64_t>(*digits);
  switch (text.back()) {
    case 'H':
      return std::chrono::hours(std::min(count, kMostHours));
    case 'M':
      return std::chrono::minutes(std::min(count, kMostHours * 60));
    case 'S':
      return std::chrono::seconds(std::min(count, kMostHours * 3600));
    case 'm':
      return milliseconds(count);
    case 'u':
      return std::chrono::ceil<milliseconds>(std::chrono::microseconds(count));
    case 'n':
      return std::chrono::ceil<milliseconds>(std::chrono::nanoseconds(count));
    default:
      return std::nullopt;
  }
}

std::string_view grpc_status_of(Failure failure) {
  switch (failure) {
    case Failure::response_timeout:
      return "4";  // DEADLINE_EXCEEDED
    case Failure::rate_limited:
      return "8";  // RESOURCE_EXHAUSTED
    case Failure::no_rule:
      return "12";  // UNIMPLEMENTED
    case Failure::body_malformed:
    case Failure::bad_response:
      return "13";  // INTERNAL
    default:
      return "14";  // UNAVAILABLE
  }
}

}  // namespace heddle::listener
