#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace heddle::telemetry {

// One request or relayed connection. Views live as long as the call.
struct AccessRecord {
  std::chrono::system_clock::time_point at;
  std::string_view listener;
  std::string_view client;
  std::string_view kind;  // "http" or "tcp"
  std::string_view method;
  std::string_view host;
  std::string_view path;
  int status = 0;
  std::string_view reason;  // why the proxy itself answered, or what went wrong
  std::string_view request_id;
  std::string_view trace_id;  // of the request's traceparent (W3C Trace Context)
  std::string_view service;
  std::string_view target;
  int attempts = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::chrono::nanoseconds duration{};
};

// One JSON object and a line end.
std::string format_record(const AccessRecord& record);

// How a line of the log looks: `json`, or a text in which %{name} stands for what JSON has under
// that name (`-` when it has nothing) and %% for a per cent sign. Threads: any; immutable.
class AccessFormat {
 public:
  AccessFormat() = default;  // JSON
  // Errors: `invalid`, with the nearest name.
  static Result<AccessFormat> parse(std::string_view text);
  std::string format(const AccessRecord& record) const;

 private:
  struct Part {
    std::string before;  // stands as it is
    int field = -1;      // after it; -1: nothing
  };
  std::vector<Part> parts_;  // empty: JSON
};

}  // namespace heddle::telemetry
