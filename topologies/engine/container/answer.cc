#include "topologies/engine/container/answer.h"

#include <algorithm>
#include <boost/json.hpp>

#include "topologies/engine/container/spec.h"

namespace heddle::container {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kMaxText = 300;
constexpr std::size_t kMaxWarnings = 16;
constexpr std::int64_t kMaxPid = 1 << 22;  // PID_MAX_LIMIT, proc(5)

Result<json::value> parse_json(std::string_view text) {
  json::parse_options options;
  options.max_depth = kMaxDepth;
  options.allow_invalid_utf8 = true;
  boost::system::error_code ec;
  json::value value = json::parse(json::string_view(text.data(), text.size()), ec, {}, options);
  if (ec) return fail(Errc::internal, "no JSON: " + ec.message());
  return value;
}

const json::value* find(const json::value* value, std::string_view key) {
  if (!value || !value->is_object()) return nullptr;
  return value->as_object().if_contains(json::string_view(key.data(), key.size()));
}

std::string text_of(const json::value* value) {
  if (!value || !value->is_string()) return "";
  return std::string(value->as_string().data(), value->as_string().size());
}

std::int64_t number_of(const json::value* value) {
  if (!value) return 0;
  boost::system::error_code ec;
  const auto number = value->to_number<std::int64_t>(ec);
  return ec ? 0 : number;
}

bool flag_of(const json::value* value) {
  return value && value->is_bool() && value->as_bool();
}

// For people, on one line.
std::string sentence(std::string text) {
  text.resize(std::min(text.size(), kMaxText));
  std::ranges::replace_if(text, [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; }, ' ');
  return text;
}

Result<std::string> id_of(const json::value* value) {
  std::string id = text_of(value);
  if (id.size() != 64 || id.find_first_not_of("0123456789abcdef") != std::string::npos)
    return fail(Errc::internal, "Id is no id of 64 hexadecimal digits");
  return id;
}

std::map<std::string, std::string> env_of(const json::value* list) {
  std::map<std::string, std::string> out;
  if (!list || !list->is_array()) return out;
  for (const json::value& entry : list->as_array()) {
    const std::string pair = text_of(&entry);
    const std::size_t equals = pair.find('=');
    if (equals == 0 || equals == std::string::npos || pair.find('\0') != std::string::npos)
      continue;
    out[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return out;
}

}  // namespace

Result<State> parse_state(std::string_view text) {
  TRY(const json::value value, parse_json(text));
  State out;
  TRY(out.id, id_of(find(&value, "Id")));
  const json::value* state = find(&value, "State");
  if (!state || !state->is_object()) return fail(Errc::internal, "State is no object");
  out.paused = flag_of(find(state, "Paused"));
  out.pid = number_of(find(state, "Pid"));
  // Podman's paused containers do not run, Docker's do.
  out.running = (flag_of(find(state, "Running")) || out.paused) && out.pid > 0;
  if (!out.running) out.pid = 0;
  if (out.pid < 0 || out.pid > kMaxPid) return fail(Errc::internal, "State.Pid is no process");
  out.exit_status = static_cast<int>(number_of(find(state, "ExitCode")) & 0xff);
  const json::value* config = find(&value, "Config");
  out.env = env_of(find(config, "Env"));
  const std::string directory = text_of(find(config, "WorkingDir"));
  if (directory.starts_with("/") && directory.find('\0') == std::string::npos)
    out.directory = directory;
  out.owner = text_of(find(find(config, "Labels"), kRunLabel));
  return out;
}

Result<Created> parse_created(std::string_view text) {
  TRY(const json::value value, parse_json(text));
  Created out;
  TRY(out.id, id_of(find(&value, "Id")));
  const json::value* warnings = find(&value, "Warnings");
  if (!warnings || !warnings->is_array()) return out;
  for (const json::value& warning : warnings->as_array()) {
    if (out.warnings.size() < kMaxWarnings && !text_of(&warning).empty())
      out.warnings.push_back(sentence(text_of(&warning)));
  }
  return out;
}

Result<std::vector<Listed>> parse_list(std::string_view text) {
  TRY(const json::value value, parse_json(text));
  if (!value.is_array()) return fail(Errc::internal, "containers are no list");
  std::vector<Listed> out;
  for (const json::value& entry : value.as_array()) {
    Listed listed;
    TRY(listed.id, id_of(find(&entry, "Id")));
    const json::value* names = find(&entry, "Names");
    if (names && names->is_array() && !names->as_array().empty()) {
      listed.name = sentence(text_of(&names->as_array().front()));
      if (listed.name.starts_with('/')) listed.name.erase(0, 1);
    }
    out.push_back(std::move(listed));
  }
  return out;
}

std::optional<std::string> parse_pull_error(std::string_view lines) {
  for (std::size_t at = 0; at < lines.size();) {
    const std::size_t end = std::min(lines.find('\n', at), lines.size());
    const auto value = parse_json(lines.substr(at, end - at));
    if (value && find(&*value, "error")) return sentence(text_of(find(&*value, "error")));
    at = end + 1;
  }
  return std::nullopt;
}

}  // namespace heddle::container
