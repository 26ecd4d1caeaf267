#include "topologies/engine/format/pattern.h"

#include <regex.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace heddle::format {
namespace {

constexpr std::size_t kMaxBytes = 1000;
constexpr int kMaxRepeat = 100;
constexpr int kMaxRepeats = 2;

// Counted repetitions multiply glibc's automaton; nested ones reach gigabytes.
bool repeats_too_much(std::string_view text) {
  int repeats = 0;
  for (std::size_t at = text.find('{'); at != std::string_view::npos; at = text.find('{', at + 1)) {
    if (at > 0 && text[at - 1] == '\\') continue;
    if (++repeats > kMaxRepeats) return true;
    std::size_t next = at + 1;
    while (next < text.size() && text[next] != '}') {
      long number = 0;
      while (next < text.size() && text[next] >= '0' && text[next] <= '9') {
        number = std::min(number * 10 + (text[next++] - '0'), 1'000'000L);
      }
      if (number > kMaxRepeat) return true;
      if (next < text.size() && text[next] != '}') ++next;
    }
  }
  return false;
}

}  // namespace

struct Pattern::Compiled {
  regex_t regex{};
  bool ready = false;
  ~Compiled() {
    if (ready) ::regfree(&regex);
  }
};

Result<Pattern> Pattern::compile(const std::string& text) {
  if (text.empty()) return fail(Errc::invalid, "the pattern is empty");
  if (text.size() > kMaxBytes || repeats_too_much(text))
    return fail(Errc::invalid,
                "the pattern is too large: at most 1000 bytes, two {n} repetitions "
                "and 100 times each");
  auto compiled = std::make_shared<Compiled>();
  const int status = ::regcomp(&compiled->regex, text.c_str(), REG_EXTENDED | REG_NEWLINE);
  if (status != 0) {
    std::array<char, 200> why{};
    ::regerror(status, &compiled->regex, why.data(), why.size());
    return fail(Errc::invalid, "not a regular expression (grep -E): " + std::string(why.data()));
  }
  compiled->ready = true;
  return Pattern(std::move(compiled));
}

bool Pattern::found_in(const std::string& text) const {
  return ::regexec(&compiled_->regex, text.c_str(), 0, nullptr, 0) == 0;
}

std::optional<std::string> Pattern::extract(const std::string& text) const {
  std::array<regmatch_t, 2> match{};
  if (::regexec(&compiled_->regex, text.c_str(), match.size(), match.data(), 0) != 0)
    return std::nullopt;
  const regmatch_t& part =
      compiled_->regex.re_nsub > 0 && match[1].rm_so >= 0 ? match[1] : match[0];
  return text.substr(static_cast<std::size_t>(part.rm_so),
                     static_cast<std::size_t>(part.rm_eo - part.rm_so));
}

}  // namespace heddle::format
