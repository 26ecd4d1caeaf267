#include "proxy/http/head_scanner.h"

namespace heddle::http {
namespace {

// Room for the method, the version and the spaces beside the target.
constexpr std::size_t kStartLineExtra = 64;

}  // namespace

std::expected<std::optional<std::size_t>, Refusal> HeadScanner::scan(std::string_view bytes,
                                                                     const Limits& limits) {
  while (true) {
    const auto lf = bytes.find('\n', scanned_);
    const std::size_t seen = lf == std::string_view::npos ? bytes.size() : lf + 1;
    if (lines_ == 0 && seen - line_begin_ > limits.target_bytes + kStartLineExtra) {
      return std::unexpected(Refusal::target_too_long);
    }
    if (seen > limits.head_bytes) return std::unexpected(Refusal::head_too_large);
    scanned_ = seen;
    if (lf == std::string_view::npos) return std::nullopt;
    if (lf == line_begin_ || bytes[lf - 1] != '\r') return std::unexpected(Refusal::line_end);
    const bool empty = lf == line_begin_ + 1;
    line_begin_ = lf + 1;
    if (!empty) {
      ++lines_;
    } else if (lines_ > 0) {
      return line_begin_;
    } else if (skipped_empty_) {
      return std::unexpected(Refusal::request_line);
    } else {
      skipped_empty_ = true;
    }
  }
}

}  // namespace heddle::http
