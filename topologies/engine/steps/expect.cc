#include "topologies/engine/steps/expect.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <optional>

#include "topologies/engine/format/pattern.h"
#include "topologies/engine/format/variables.h"

namespace heddle::steps {
namespace {

namespace json = boost::json;

constexpr std::size_t kShown = 400;

std::string without_last_newlines(std::string text) {
  text.erase(text.find_last_not_of('\n') + 1);
  return text;
}

std::string quoted(const std::string& text) {
  const std::string trimmed = without_last_newlines(text);
  if (trimmed.size() <= kShown) return "\"" + trimmed + "\"";
  return "\"" + trimmed.substr(0, kShown) + "...\" (" + std::to_string(trimmed.size()) + " bytes)";
}

std::int64_t count_lines(const std::string& text) {
  const std::string trimmed = without_last_newlines(text);
  return trimmed.empty() ? 0 : 1 + std::ranges::count(trimmed, '\n');
}

// Adds what is wrong with one text to `broken`.
class TextCheck {
 public:
  TextCheck(std::string what, const std::string& text, const Variables& variables,
            std::vector<std::string>& broken)
      : what_(std::move(what)), text_(text), variables_(variables), broken_(broken) {}

  void run(const format::TextClaim& claim) {
    for (const std::string& part : claim.contains) {
      const std::string wanted = expand_known(part, variables_);
      if (text_.find(wanted) == std::string::npos)
        add("does not contain \"" + wanted + "\"; it is " + quoted(text_));
    }
    for (const std::string& part : claim.lacks) {
      const std::string unwanted = expand_known(part, variables_);
      if (text_.find(unwanted) != std::string::npos)
        add("contains \"" + unwanted + "\", which it must not; it is " + quoted(text_));
    }
    if (claim.equals) {
      const std::string wanted = without_last_newlines(expand_known(*claim.equals, variables_));
      if (without_last_newlines(text_) != wanted)
        add("is " + quoted(text_) + ", not \"" + wanted + "\"");
    }
    if (claim.matches) run_pattern(expand_known(*claim.matches, variables_));
    if (claim.lines && count_lines(text_) != *claim.lines)
      add("has " + std::to_string(count_lines(text_)) + " lines, not " +
          std::to_string(*claim.lines) + "; it is " + quoted(text_));
  }

 private:
  void run_pattern(const std::string& text) {
    const auto pattern = format::Pattern::compile(text);
    if (!pattern) return add(": " + pattern.error().text());
    if (!pattern->found_in(text_)) add("does not match /" + text + "/; it is " + quoted(text_));
  }
  void add(const std::string& problem) { broken_.push_back(what_ + " " + problem); }

  std::string what_;
  const std::string& text_;
  const Variables& variables_;
  std::vector<std::string>& broken_;
};

// A JSON value as a file would write it: text without its quotes.
std::string as_text(const json::value& value) {
  if (value.is_string()) return std::string(value.as_string());
  return json::serialize(value);
}

std::optional<double> as_number(const json::value& value) {
  boost::system::error_code ec;
  const double number = value.to_number<double>(ec);
  if (ec) return std::nullopt;
  return number;
}

std::string format_number(double number) {
  std::array<char, 32> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr;
  return {buffer.data(), end};
}

void check_json(const format::JsonClaim& claim, const json::value& root, const Variables& variables,
                std::vector<std::string>& broken) {
  boost::system::error_code ec;
  const json::value* value = root.find_pointer(claim.pointer, ec);
  if (!value) {
    broken.push_back("standard output has no " + claim.pointer);
    return;
  }
  const std::string text = as_text(*value);
  const auto number = as_number(*value);
  if (claim.equals) {
    const std::string wanted = expand_known(*claim.equals, variables);
    double wanted_number = 0;
    const auto end = wanted.data() + wanted.size();
    const bool numeric = number && std::from_chars(wanted.data(), end, wanted_number).ptr == end;
    if (text != wanted && !(numeric && *number == wanted_number))
      broken.push_back(claim.pointer + " is " + text + ", not " + wanted);
  }
  if ((claim.at_least || claim.at_most) && !number) {
    broken.push_back(claim.pointer + " is " + text + ", no number");
    return;
  }
  if (claim.at_least && *number < *claim.at_least)
    broken.push_back(claim.pointer + " is " + text + ", not at least " +
                     format_number(*claim.at_least));
  if (claim.at_most && *number > *claim.at_most)
    broken.push_back(claim.pointer + " is " + text + ", not at most " +
                     format_number(*claim.at_most));
}

void check_exit(const format::Expectation& expect, const control::ExecResult& result,
                std::vector<std::string>& broken) {
  if (result.timed_out) {
    broken.push_back("it did not end in time and was killed");
  } else if (!expect.any_exit && result.exit != expect.exit) {
    const std::string how = result.signal ? "was ended by signal " + std::to_string(result.signal)
                                          : "ended with status " + std::to_string(result.exit);
    broken.push_back("it " + how + ", not " + std::to_string(expect.exit) +
                     (result.err.empty() ? "" : "; standard error: " + quoted(result.err)));
  }
  if (expect.at_most && result.time > *expect.at_most)
    broken.push_back("it took " + std::to_string(result.time.count()) + " ms, not at most " +
                     std::to_string(expect.at_most->count()) + " ms");
}

}  // namespace

std::string expand_known(const std::string& text, const Variables& variables) {
  const auto expanded = format::expand(
      text,
      [&](std::string_view name) -> std::optional<std::string> {
        const auto found = variables.find(std::string(name));
        if (found == variables.end()) return std::nullopt;
        return found->second;
      },
      format::Unknown::keep);
  return expanded ? *expanded : text;
}

std::vector<std::string> broken_claims(const format::Expectation& expect,
                                       const control::ExecResult& result,
                                       const Variables& variables) {
  std::vector<std::string> broken;
  check_exit(expect, result, broken);
  TextCheck("standard output", result.out, variables, broken).run(expect.out);
  TextCheck("standard error", result.err, variables, broken).run(expect.err);
  if (expect.json.empty()) return broken;
  json::parse_options options;
  options.allow_invalid_utf8 = true;
  boost::system::error_code ec;
  const json::value root = json::parse(result.out, ec, {}, options);
  if (ec) {
    broken.push_back("standard output is not JSON (" + ec.message() + "); it is " +
                     quoted(result.out));
    return broken;
  }
  for (const format::JsonClaim& claim : expect.json) check_json(claim, root, variables, broken);
  return broken;
}

std::vector<std::string> claimed_values(const format::Expectation& expect,
                                        const std::string& output) {
  std::vector<std::string> out;
  boost::system::error_code ec;
  json::parse_options options;
  options.allow_invalid_utf8 = true;
  const json::value root = json::parse(output, ec, {}, options);
  if (ec) return out;
  for (const format::JsonClaim& claim : expect.json) {
    boost::system::error_code none;
    const json::value* value = root.find_pointer(claim.pointer, none);
    if (value && !claim.pointer.empty())
      out.push_back(claim.pointer.substr(1) + " " + as_text(*value));
  }
  return out;
}

Result<Variables> capture(const std::vector<format::Capture>& captures, const std::string& output) {
  Variables out;
  for (const format::Capture& wanted : captures) {
    if (wanted.pattern.empty()) {
      out[wanted.variable] = without_last_newlines(output);
      continue;
    }
    TRY(const format::Pattern pattern, format::Pattern::compile(wanted.pattern));
    const auto found = pattern.extract(output);
    if (!found)
      return fail(Errc::not_found, "nothing to capture as " + wanted.variable +
                                       ": standard output "
                                       "does not match /" +
                                       wanted.pattern + "/; it is " + quoted(output));
    out[wanted.variable] = *found;
  }
  return out;
}

}  // namespace heddle::steps
