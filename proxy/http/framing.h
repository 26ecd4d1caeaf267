#pragma once
#include <optional>

#include "proxy/http/message.h"

// How long a body is and whether a connection stays: RFC 9112, sections 6.3 and 9.3. A message
// whose fields allow two readings is refused.
namespace heddle::http {

std::optional<Refusal> judge_request_framing(RequestHead& head);
std::optional<Refusal> judge_response_framing(bool to_head, ResponseHead& head);

// Reads Connection: sets keep_alive and upgrade, and marks the fields it names as dropped. Fields
// that carry meaning for the proxy itself cannot be dropped that way.
void judge_connection(MessageHead& head);

}  // namespace heddle::http
