#include "proxy/listener/local_answer.h"

namespace heddle::listener {
namespace {

struct Row {
  int status;
  std::string_view name;
  std::string_view text;
};

Row row_of(Failure failure) {
  switch (failure) {
    case Failure::none:
      return {200, "", ""};
    case Failure::no_rule:
      return {404, "no_rule", "no rule of this listener matches the request"};
    case Failure::rate_limited:
      return {429, "rate_limited", "the rule's rate of requests is used up"};
    case Failure::fault_injected:
      return {503, "fault_injected", "the rule answers so on purpose"};
    case Failure::overloaded:
      return {503, "overloaded", "too much is under way already"};
    case Failure::unknown_group:
      return {503, "unknown_group", "the rule's target group is not known yet"};
    case Failure::no_ready_target:
      return {503, "no_ready_target", "no target is ready"};
    case Failure::connect_failed:
      return {502, "connect_failed", "no target could be connected to"};
    case Failure::connect_timeout:
      return {504, "connect_timeout", "no target could be connected to in time"};
    case Failure::target_gone:
      return {502, "target_gone", "the target was removed before it answered"};
    case Failure::target_closed:
      return {502, "target_closed", "the target closed the connection before it answered"};
    case Failure::bad_response:
      return {502, "bad_response", "the target's response is malformed"};
    case Failure::response_timeout:
      return {504, "response_timeout", "the target did not answer in time"};
    case Failure::body_malformed:
      return {400, "body_malformed", "the request body's chunks are malformed"};
    case Failure::body_timeout:
      return {408, "body_timeout", "the request body did not arrive in time"};
    case Failure::client_closed:
      return {499, "client_closed", "the client went away"};
    case Failure::response_cut:
      return {502, "response_cut", "the response ended early"};
  }
  return {500, "internal", ""};
}

}  // namespace

int status_of(Failure failure) {
  return row_of(failure).status;
}
std::string_view name_of(Failure failure) {
  return row_of(failure).name;
}
std::string_view text_of(Failure failure) {
  return row_of(failure).text;
}

std::string error_body(std::string_view error, std::string_view message) {
  std::string out = "{\"error\":\"";
  out.append(error).append("\",\"message\":\"").append(message).append("\"}\n");
  return out;
}

}  // namespace heddle::listener
