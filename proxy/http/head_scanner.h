#pragma once
#include <cstddef>
#include <expected>
#include <optional>
#include <string_view>

#include "proxy/http/limits.h"
#include "proxy/http/refusal.h"

namespace heddle::http {

// Finds where a message head ends, without looking at a byte twice. Line ends are judged here, so
// that a head with bare LF is refused at once instead of waiting for a CRLF that never comes.
class HeadScanner {
 public:
  // `bytes` is everything received since the message began; it only grows between calls.
  // Value: the head's length with its empty line (and up to one empty line before the start line,
  // RFC 9112 section 2.2), or nullopt when more is needed.
  std::expected<std::optional<std::size_t>, Refusal> scan(std::string_view bytes,
                                                          const Limits& limits);
  void reset() { *this = HeadScanner(); }

 private:
  std::size_t line_begin_ = 0;
  std::size_t scanned_ = 0;
  std::size_t lines_ = 0;  // with content
  bool skipped_empty_ = false;
};

}  // namespace heddle::http
