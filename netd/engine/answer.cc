#include "netd/engine/answer.h"

#include <signal.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cstring>
#include <utility>

namespace heddle::engine {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kMaxName = 255;
constexpr std::size_t kMaxWord = 4096;                 // a network mode may hold a path
constexpr std::int64_t kMaxPid = 1 << 22;              // PID_MAX_LIMIT, proc(5)
constexpr std::chrono::seconds kMaxStopTimeout{3600};  // -1 says: for ever
constexpr int kRtMin = 34, kRtMax = 64;                // as engines count them

Error not_understood(const std::string& what) {
  return Error(Errc::internal, what);
}

bool is_hex(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c != 0x7f; });
}

Result<json::value> parse_json(std::string_view text) {
  json::parse_options options;
  options.max_depth = kMaxDepth;
  options.allow_invalid_utf8 = true;
  boost::system::error_code ec;
  json::value value = json::parse(json::string_view(text.data(), text.size()), ec, {}, options);
  if (ec) return std::unexpected(not_understood("no JSON: " + ec.message()));
  return value;
}

// Reads members of an object; the first that has the wrong form is kept as the error.
class Reader {
 public:
  Reader(const json::object& object, std::string prefix, std::optional<Error>& error)
      : object_(object), prefix_(std::move(prefix)), error_(error) {}

  // Absent: "".
  std::string word(std::string_view key, std::size_t most = kMaxWord) {
    const json::value* value = find(key);
    if (value == nullptr) return "";
    if (!value->is_string()) return wrong(key, "no text"), "";
    const auto& string = value->as_string();
    std::string text(string.data(), string.size());
    if (text.size() > most || !is_printable(text)) return wrong(key, "no such word"), "";
    return text;
  }
  // For what people can fill as they like: up to `end`, and "" for what is no text.
  std::string_view loose(std::string_view key, char end) const {
    const json::value* value = find(key);
    if (value == nullptr || !value->is_string()) return "";
    const std::string_view text(value->as_string().data(), value->as_string().size());
    return text.substr(0, std::min(text.find(end), std::size_t{64}));
  }
  // Absent: false.
  bool flag(std::string_view key) {
    const json::value* value = find(key);
    if (value == nullptr) return false;
    if (!value->is_bool()) return wrong(key, "neither true nor false"), false;
    return value->as_bool();
  }
  std::optional<std::int64_t> number(std::string_view key) {
    const json::value* value = find(key);
    if (value == nullptr) return std::nullopt;
    boost::system::error_code ec;
    const auto number = value->to_number<std::int64_t>(ec);
    if (ec) return wrong(key, "no whole number"), std::nullopt;
    return number;
  }
  // Absent: one without members.
  Reader object(std::string_view key) {
    static const json::object kNone;
    const json::value* value = find(key);
    if (value != nullptr && !value->is_object()) wrong(key, "no object");
    const bool usable = value != nullptr && value->is_object();
    return Reader(usable ? value->as_object() : kNone, prefix_ + std::string(key) + ".", error_);
  }
  std::string id(std::string_view key) {
    std::string text = word(key, 64);
    if (text.size() != 64 || !is_hex(text)) wrong(key, "no id of 64 hexadecimal digits");
    return text;
  }
  void wrong(std::string_view key, std::string_view what) {
    if (error_) return;
    error_ = not_understood(prefix_ + std::string(key) + " is " + std::string(what));
  }

  const json::value* find(std::string_view key) const {
    const json::value* value = object_.if_contains(json::string_view(key.data(), key.size()));
    return value == nullptr || value->is_null() ? nullptr : value;
  }

 private:
  const json::object& object_;
  std::string prefix_;
  std::optional<Error>& error_;
};

// `/web` -> `web`
std::string bare_name(std::string text) {
  if (text.starts_with('/')) text.erase(0, 1);
  return text;
}

bool is_name(std::string_view name) {
  return name.size() <= kMaxName && is_reference(name);
}

Result<Listed> read_listed(const json::value& value) {
  if (!value.is_object()) return std::unexpected(not_understood("a container is no object"));
  std::optional<Error> error;
  Reader reader(value.as_object(), "", error);
  Listed listed{reader.id("Id"), "", reader.word("State", 64)};
  // A link of Docker's old kind adds names as `/other/alias`.
  const json::value* names = reader.find("Names");
  if (names != nullptr && !names->is_array()) reader.wrong("Names", "no list");
  if (names != nullptr && names->is_array()) {
    for (const json::value& name : names->as_array()) {
      if (!name.is_string()) continue;
      std::string bare = bare_name({name.as_string().data(), name.as_string().size()});
      if (is_name(bare)) listed.name = std::move(bare);
    }
  }
  if (error) return std::unexpected(*error);
  return listed;
}

// Of an event: whole nanoseconds since 1970, as `SECONDS.NANOSECONDS`.
std::string since_of(std::int64_t nanoseconds) {
  std::string fraction = std::to_string(nanoseconds % 1'000'000'000);
  fraction.insert(0, 9 - fraction.size(), '0');
  return std::to_string(nanoseconds / 1'000'000'000) + "." + fraction;
}

}  // namespace

Result<Container> parse_container(std::string_view text) {
  TRY(const json::value value, parse_json(text));
  if (!value.is_object()) return std::unexpected(not_understood("a container is no object"));
  std::optional<Error> error;
  Reader reader(value.as_object(), "", error);
  Reader state = reader.object("State");
  Reader config = reader.object("Config");
  Container container;
  container.id = reader.id("Id");
  container.name = bare_name(reader.word("Name", kMaxName + 1));
  if (!is_name(container.name)) reader.wrong("Name", "no name");
  container.status = state.word("Status", 64);
  container.paused = state.flag("Paused");
  container.restarting = state.flag("Restarting");
  container.pid = state.number("Pid").value_or(0);
  if (container.pid < 0 || container.pid > kMaxPid) state.wrong("Pid", "no process");
  // Podman's paused containers do not run, Docker's do.
  const bool alive = state.flag("Running") || container.paused;
  container.running = alive && !container.restarting && container.pid > 0;
  if (!container.running) container.pid = 0;
  container.network_mode = reader.object("HostConfig").word("NetworkMode");
  container.stop_signal = parse_signal(config.loose("StopSignal", '\n')).value_or(SIGTERM);
  const std::int64_t wait = config.number("StopTimeout").value_or(container.stop_timeout.count());
  container.stop_timeout =
      wait < 0 || wait > kMaxStopTimeout.count() ? kMaxStopTimeout : std::chrono::seconds(wait);
  if (error) return std::unexpected(*error);
  return container;
}

Result<std::vector<Listed>> parse_list(std::string_view text) {
  TRY(const json::value value, parse_json(text));
  if (!value.is_array()) return std::unexpected(not_understood("containers are no list"));
  std::vector<Listed> all;
  for (const json::value& entry : value.as_array()) {
    TRY(Listed listed, read_listed(entry));
    all.push_back(std::move(listed));
  }
  return all;
}

Result<std::optional<Event>> parse_event(std::string_view text) {
  TRY(const json::value value, parse_json(text));
  if (!value.is_object()) return std::unexpected(not_understood("an event is no object"));
  std::optional<Error> error;
  Reader reader(value.as_object(), "", error);
  const std::string type = reader.word("Type", 64);
  if (type != "container" && !error) return std::nullopt;
  Reader actor = reader.object("Actor");
  Event event;
  event.action = reader.loose("Action", ':');  // `exec_create: COMMAND`
  event.container = actor.id("ID");
  event.signal = parse_signal(actor.object("Attributes").loose("signal", '\n')).value_or(0);
  const std::int64_t nano = reader.number("timeNano").value_or(0);
  const std::int64_t seconds = reader.number("time").value_or(0);
  if (nano > 0) {
    event.time = since_of(nano);
  } else if (seconds > 0) {
    event.time = std::to_string(seconds);
  }
  if (error) return std::unexpected(*error);
  return event;
}

std::optional<int> parse_signal(std::string_view text) {
  const auto number = [](std::string_view digits) -> std::optional<int> {
    int value = 0;
    const char* const end = digits.data() + digits.size();
    const auto [stop, ec] = std::from_chars(digits.data(), end, value);
    if (ec != std::errc() || stop != end || value < 0) return std::nullopt;
    return value;
  };
  const auto valid = [](std::optional<int> signal) {
    return signal && *signal >= 1 && *signal <= kRtMax ? signal : std::nullopt;
  };
  if (const auto plain = number(text)) return valid(plain);
  if (text.starts_with("SIG")) text.remove_prefix(3);
  for (int signal = 1; signal < 32; ++signal) {
    const char* name = ::sigabbrev_np(signal);
    if (name != nullptr && text == name) return signal;
  }
  if (text == "RTMIN") return kRtMin;
  if (text == "RTMAX") return kRtMax;
  const std::string_view base = text.substr(0, 6);
  const auto offset = text.size() > 6 ? number(text.substr(6)) : std::nullopt;
  if (!offset || *offset > kRtMax) return std::nullopt;
  if (base == "RTMIN+") return valid(kRtMin + *offset);
  if (base == "RTMAX-") return valid(kRtMax - *offset);
  return std::nullopt;
}

bool is_reference(std::string_view text) {
  const auto is_alnum = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  return !text.empty() && text.size() <= kMaxName && is_alnum(text.front()) &&
         std::ranges::all_of(
             text, [&](char c) { return is_alnum(c) || c == '_' || c == '.' || c == '-'; });
}

}  // namespace heddle::engine
