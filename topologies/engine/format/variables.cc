#include "topologies/engine/format/variables.h"

#include <algorithm>

namespace heddle::format {
namespace {

constexpr std::size_t kMaxExpanded = 1U << 20;

bool is_variable_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  });
}

struct Reference {
  std::string_view name;
  std::optional<std::string_view> fallback;
};

// What stands between the braces. Absent: something that is ours to leave alone (`${x##*/}`).
std::optional<Reference> read_reference(std::string_view body) {
  Reference reference{body, std::nullopt};
  for (std::string_view mark : {":-", ":="}) {
    const std::size_t at = body.find(mark);
    if (at == std::string_view::npos) continue;
    reference.name = body.substr(0, at);
    reference.fallback = body.substr(at + 2);
    break;
  }
  if (!is_variable_name(reference.name)) return std::nullopt;
  return reference;
}

}  // namespace

Result<std::string> expand(std::string_view text, const FindVariable& find, Unknown unknown) {
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t open = text.find("${", at);
    if (open == std::string_view::npos) break;
    if (open > at && text[open - 1] == '$') {  // $${
      out += text.substr(at, open - at);
      out += '{';
      at = open + 2;
      continue;
    }
    out += text.substr(at, open - at);
    const std::size_t close = text.find('}', open);
    const auto reference = close == std::string_view::npos
                               ? std::nullopt
                               : read_reference(text.substr(open + 2, close - open - 2));
    if (!reference) {
      out += "${";
      at = open + 2;
      continue;
    }
    at = close + 1;
    if (const auto value = find(reference->name)) {
      out += *value;
    } else if (unknown == Unknown::keep) {
      out += text.substr(open, at - open);
    } else if (reference->fallback) {
      out += *reference->fallback;
    } else {
      return fail(Errc::invalid, "${" + std::string(reference->name) + "} is not set");
    }
    if (out.size() > kMaxExpanded) return fail(Errc::invalid, "longer than 1 MiB once expanded");
  }
  out += text.substr(std::min(at, text.size()));
  return out;
}

}  // namespace heddle::format
