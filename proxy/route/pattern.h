#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "proxy/snapshot/config.h"

namespace re2 {
class RE2;
}

namespace heddle::route {

// A text to compare with, ready for use. Each comparison takes time in proportion to the text:
// regular expressions are RE2's, and wildcards that are more than a prefix or a suffix become one.
// Threads: any.
class Pattern {
 public:
  // Errors: `invalid`, when it is no regular expression or one that takes too much memory.
  static Result<Pattern> make(const snapshot::StringMatch& match);
  bool matches(std::string_view text) const;

 private:
  enum class How { exact, prefix, suffix, any, regex };
  How how_ = How::exact;
  std::string text_;
  std::shared_ptr<const re2::RE2> regex_;
};

// Compiles a regular expression of a configuration. Bytes, not characters: what clients send need
// not be UTF-8. Errors: `invalid` with RE2's reason.
Result<std::shared_ptr<const re2::RE2>> compile_regex(const std::string& text);

}  // namespace heddle::route
