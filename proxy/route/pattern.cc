#include "proxy/route/pattern.h"

#include <re2/re2.h>

#include <algorithm>

namespace heddle::route {
namespace {

constexpr std::size_t kMaxRegexBytes = 1024;
constexpr std::int64_t kMaxRegexMemory = 1 << 20;

bool has_wildcard(std::string_view text) {
  return text.find_first_of("*?") != std::string_view::npos;
}

// As a regular expression of the same meaning.
std::string regex_of(std::string_view wildcard) {
  std::string out;
  std::size_t begin = 0;
  const auto quote_until = [&](std::size_t end) {
    const std::string_view plain = wildcard.substr(begin, end - begin);
    out += re2::RE2::QuoteMeta(re2::StringPiece(plain.data(), plain.size()));
  };
  for (std::size_t i = 0; i < wildcard.size(); ++i) {
    if (wildcard[i] != '*' && wildcard[i] != '?') continue;
    quote_until(i);
    begin = i + 1;
    // Neighbouring stars are one.
    if (wildcard[i] == '?') {
      out += '.';
    } else if (!out.ends_with(".*")) {
      out += ".*";
    }
  }
  quote_until(wildcard.size());
  return out;
}

}  // namespace

Result<std::shared_ptr<const re2::RE2>> compile_regex(const std::string& text) {
  if (text.size() > kMaxRegexBytes) {
    return fail(Errc::invalid,
                "the expression is longer than " + std::to_string(kMaxRegexBytes) + " bytes");
  }
  re2::RE2::Options options(re2::RE2::Latin1);
  options.set_log_errors(false);
  options.set_dot_nl(true);
  options.set_max_mem(kMaxRegexMemory);
  auto regex = std::make_shared<const re2::RE2>(text, options);
  if (!regex->ok()) {
    return fail(Errc::invalid,
                "'" + text.substr(0, 60) + "' is no regular expression (RE2): " + regex->error());
  }
  return regex;
}

Result<Pattern> Pattern::make(const snapshot::StringMatch& match) {
  using From = snapshot::StringMatch::How;
  Pattern out;
  out.text_ = match.text;
  std::string_view text = match.text;
  switch (match.how) {
    case From::exact:
      out.how_ = How::exact;
      return out;
    case From::prefix:
      out.how_ = How::prefix;
      return out;
    case From::suffix:
      out.how_ = How::suffix;
      return out;
    case From::regex: {
      TRY(out.regex_, compile_regex(match.text));
      out.how_ = How::regex;
      return out;
    }
    case From::wildcard:
      break;
  }
  if (text == "*") {
    out.how_ = How::any;
  } else if (text.starts_with('*') && !has_wildcard(text.substr(1))) {
    out.how_ = How::suffix;
    out.text_ = text.substr(1);
  } else if (text.ends_with('*') && !has_wildcard(text.substr(0, text.size() - 1))) {
    out.how_ = How::prefix;
    out.text_ = text.substr(0, text.size() - 1);
  } else if (has_wildcard(text)) {
    TRY(out.regex_, compile_regex(regex_of(text)));
    out.how_ = How::regex;
  }
  return out;
}

bool Pattern::matches(std::string_view text) const {
  switch (how_) {
    case How::exact:
      return text == text_;
    case How::prefix:
      return text.starts_with(text_);
    case How::suffix:
      return text.ends_with(text_);
    case How::any:
      return true;
    case How::regex:
      return re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *regex_);
  }
  return false;
}

}  // namespace heddle::route
