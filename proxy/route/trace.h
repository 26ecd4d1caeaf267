#pragma once
#include <string_view>

#include "proxy/http/message.h"

namespace heddle::route {

// The trace that a request belongs to: the trace-id of its traceparent (W3C Trace Context, section
// 3.2); empty when it has none or a malformed one. The header itself passes as it came.
std::string_view trace_id_of(const http::RequestHead& request);

}  // namespace heddle::route
