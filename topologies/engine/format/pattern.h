#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace heddle::format {

// A POSIX extended regular expression, as `grep -E` has them; `^` and `$` match at line ends.
// (std::regex recurses per character: a long text ends the program.)
class Pattern final {
 public:
  // Errors: `invalid` with what is wrong; also for patterns whose automaton would be huge.
  static Result<Pattern> compile(const std::string& text);

  bool found_in(const std::string& text) const;
  // The first group of the first match, or the whole match when there is no group.
  std::optional<std::string> extract(const std::string& text) const;

 private:
  struct Compiled;
  explicit Pattern(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace heddle::format
