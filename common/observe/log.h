#pragma once
#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace heddle {

// One `key=value` of a log line. Values with spaces, quotes or control bytes are quoted and
// escaped.
struct Field {
  std::string_view key;
  std::string value;

  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(v) {}
  Field(std::string_view k, const std::string& v) : key(k), value(v) {}
  Field(std::string_view k, std::integral auto v) : key(k), value(std::to_string(v)) {}
  Field(std::string_view k, const Error& e) : key(k), value(e.text()) {}
};

enum class LogLevel { debug, info, warn, error };

// Writes `event key=value ...` to standard error with time and level. Threads: any.
// Packet and request paths do not call this at the default level.
void log(LogLevel level, std::string_view event, std::initializer_list<Field> fields = {});

inline void log_debug(std::string_view event, std::initializer_list<Field> fields = {}) {
  log(LogLevel::debug, event, fields);
}
inline void log_info(std::string_view event, std::initializer_list<Field> fields = {}) {
  log(LogLevel::info, event, fields);
}
inline void log_warn(std::string_view event, std::initializer_list<Field> fields = {}) {
  log(LogLevel::warn, event, fields);
}
inline void log_error(std::string_view event, std::initializer_list<Field> fields = {}) {
  log(LogLevel::error, event, fields);
}

// Called once by a main(): the program's name stands in each line; level is
// debug, info, warn or error. Errors: `invalid` for another level.
Result<> start_logging(std::string_view program, std::string_view level);

// Later, while it runs. Errors: as above.
Result<> set_log_level(std::string_view level);

// What log() writes after the level; apart for tests.
std::string format_event(std::string_view event, std::initializer_list<Field> fields);

}  // namespace heddle
