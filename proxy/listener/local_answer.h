#pragma once
#include <string>
#include <string_view>

namespace heddle::listener {

inline constexpr std::string_view kErrorType = "application/json";

// `{"error":"no_ready_target","message":"..."}` with a line end; both are plain ASCII of our own.
std::string error_body(std::string_view error, std::string_view message);

// Why the proxy answers instead of a target: the word for body, log and metric, and the status.
enum class Failure {
  none,
  no_rule,
  rate_limited,
  fault_injected,
  overloaded,
  unknown_group,
  no_ready_target,
  connect_failed,
  connect_timeout,
  target_gone,
  target_closed,  // closed, or failed, before a response
  bad_response,   // malformed
  response_timeout,
  body_malformed,  // the request's; the refusal says more
  body_timeout,
  client_closed,  // nobody is left to answer
  response_cut,   // the response had begun
};
int status_of(Failure failure);
std::string_view name_of(Failure failure);
std::string_view text_of(Failure failure);

}  // namespace heddle::listener
