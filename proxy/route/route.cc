#include "proxy/route/route.h"

#include <algorithm>

#include "proxy/http/syntax.h"

namespace heddle::route {
namespace {

using snapshot::Condition;
using snapshot::StringMatch;

bool matches(const StringMatch& match, std::string_view value) {
  switch (match.how) {
    case StringMatch::How::exact:
      return value == match.text;
    case StringMatch::How::prefix:
      return value.starts_with(match.text);
    case StringMatch::How::suffix:
      return value.ends_with(match.text);
  }
  return false;
}

std::string lower_host(std::string_view authority) {
  const auto colon = authority.rfind(':');
  if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos) {
    authority = authority.substr(0, colon);
  }
  std::string out(authority);
  std::ranges::transform(out, out.begin(), http::to_lower);
  return out;
}

bool holds(const Condition& condition, const http::RequestHead& request) {
  switch (condition.of) {
    case Condition::Of::host:
      return matches(condition.match, lower_host(request.host));
    case Condition::Of::path:
      return matches(condition.match, request.path);
    case Condition::Of::method:
      return matches(condition.match, request.method);
    case Condition::Of::header:
      // A repeated field holds if one of its values does.
      return std::ranges::any_of(request.fields, [&](const http::HeaderField& field) {
        return http::iequals(field.name, condition.header) && matches(condition.match, field.value);
      });
  }
  return false;
}

}  // namespace

const snapshot::Action* find_action(const snapshot::Listener& listener,
                                    const http::RequestHead& request) {
  for (const snapshot::Rule& rule : listener.rules) {
    const bool all = std::ranges::all_of(
        rule.conditions, [&](const Condition& condition) { return holds(condition, request); });
    if (all) return &rule.action;
  }
  return listener.default_action ? &*listener.default_action : nullptr;
}

const std::string& choose_group(const snapshot::Forward& forward, std::uint64_t random) {
  std::uint64_t sum = 0;
  for (const auto& group : forward.groups) sum += group.weight;
  std::uint64_t at = sum ? random % sum : 0;
  for (const auto& group : forward.groups) {
    if (at < group.weight) return group.group;
    at -= group.weight;
  }
  return forward.groups.front().group;
}

}  // namespace heddle::route
