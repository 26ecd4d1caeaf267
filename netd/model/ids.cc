#include "netd/model/ids.h"

namespace heddle::model {

Result<> check_name(std::string_view what, std::string_view name) {
  const auto ok = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  bool good = !name.empty() && name.size() <= 63 && name.front() != '-' && name.front() != '_';
  for (const char c : name) good = good && ok(c);
  if (good) return {};
  return fail(Errc::invalid, std::string(what) + " '" + std::string(name.substr(0, 80)) +
                                 "' must be 1 to 63 characters of a-z, 0-9, '-' and '_', and start "
                                 "with a letter or digit");
}

std::string_view format(Scope scope) {
  return scope == Scope::local ? "local" : "swarm";
}

Result<Scope> parse_scope(std::string_view text) {
  if (text == "local") return Scope::local;
  if (text == "swarm") return Scope::swarm;
  return fail(Errc::invalid, "scope '" + std::string(text) + "' is unknown; choose local or swarm");
}

}  // namespace heddle::model
