#include "topologies/engine/control/message.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <utility>

#include "common/base/check.h"
#include "common/net/rate.h"

namespace heddle::control {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxWords = 16'384;
constexpr std::size_t kMaxSevered = 65'536;  // a partition of 500 hosts into halves
constexpr std::size_t kMaxLinks = 65'536;
constexpr std::int64_t kMaxPid = 1LL << 30;
constexpr std::int64_t kMaxTimeoutMs = 24LL * 3600 * 1000;

constexpr auto kOps =
    std::to_array<std::pair<Op, std::string_view>>({{Op::inspect, "inspect"},
                                                    {Op::exec, "exec"},
                                                    {Op::stop, "stop"},
                                                    {Op::await, "await"},
                                                    {Op::kill, "kill"},
                                                    {Op::start, "start"},
                                                    {Op::kill_daemon, "kill-daemon"},
                                                    {Op::restart_daemon, "restart-daemon"},
                                                    {Op::enter, "enter"},
                                                    {Op::update, "update"},
                                                    {Op::cut, "cut"},
                                                    {Op::mend, "mend"},
                                                    {Op::impair, "impair"},
                                                    {Op::partition, "partition"},
                                                    {Op::events, "events"},
                                                    {Op::note, "note"},
                                                    {Op::save, "save"},
                                                    {Op::peek, "peek"},
                                                    {Op::signal, "signal"},
                                                    {Op::respawn, "respawn"},
                                                    {Op::freeze, "freeze"},
                                                    {Op::thaw, "thaw"},
                                                    {Op::clock, "clock"},
                                                    {Op::fill_disk, "fill-disk"},
                                                    {Op::free_disk, "free-disk"}});
constexpr std::array<std::pair<format::Distribution, std::string_view>, 3> kDistributions{
    {{format::Distribution::uniform, "uniform"},
     {format::Distribution::normal, "normal"},
     {format::Distribution::pareto, "pareto"}}};

Result<json::object> parse_object(std::string_view text, std::size_t max_bytes) {
  if (text.size() > max_bytes)
    return fail(Errc::invalid, "message larger than " + std::to_string(max_bytes) + " bytes");
  json::parse_options options;
  options.max_depth = 8;
  options.allow_invalid_utf8 = true;  // what commands print is bytes
  boost::system::error_code ec;
  json::value value = json::parse(json::string_view(text.data(), text.size()), ec, {}, options);
  if (ec) return fail(Errc::invalid, "message is not JSON: " + ec.message());
  if (!value.is_object()) return fail(Errc::invalid, "message is no JSON object");
  return std::move(value.as_object());
}

// Reads members of an object; the first that has the wrong form is kept as the error.
class Reader {
 public:
  explicit Reader(const json::object& object) : object_(object) {}

  std::string text(std::string_view key) {
    const json::value* value = find(key);
    if (!value) return "";
    if (!value->is_string()) return wrong(key, "text"), "";
    return std::string(value->as_string().data(), value->as_string().size());
  }
  std::int64_t integer(std::string_view key, std::int64_t low, std::int64_t high) {
    const json::value* value = find(key);
    if (!value) return 0;
    boost::system::error_code ec;
    const auto number = value->to_number<std::int64_t>(ec);
    if (ec || number < low || number > high) return wrong(key, "a number in its range"), 0;
    return number;
  }
  double number(std::string_view key, double low, double high) {
    const json::value* value = find(key);
    if (!value) return low;
    boost::system::error_code ec;
    const auto number = value->to_number<double>(ec);
    if (ec || !(number >= low && number <= high)) return wrong(key, "a number in its range"), low;
    return number;
  }
  bool flag(std::string_view key) {
    const json::value* value = find(key);
    if (!value) return false;
    if (!value->is_bool()) return wrong(key, "true or false"), false;
    return value->as_bool();
  }
  const json::object* object(std::string_view key) {
    const json::value* value = find(key);
    if (!value) return nullptr;
    if (!value->is_object()) return wrong(key, "an object"), nullptr;
    return &value->as_object();
  }
  const json::array* array(std::string_view key, std::size_t most = kMaxWords) {
    const json::value* value = find(key);
    if (!value) return nullptr;
    if (!value->is_array() || value->as_array().size() > most)
      return wrong(key, "a list of at most " + std::to_string(most)), nullptr;
    return &value->as_array();
  }
  std::vector<std::string> texts(std::string_view key) {
    std::vector<std::string> out;
    const json::array* list = array(key);
    if (!list) return out;
    for (const json::value& item : *list) {
      if (!item.is_string()) return wrong(key, "a list of texts"), out;
      out.emplace_back(item.as_string().data(), item.as_string().size());
    }
    return out;
  }
  std::map<std::string, std::string> text_map(std::string_view key) {
    std::map<std::string, std::string> out;
    const json::object* map = object(key);
    if (!map) return out;
    for (const auto& member : *map) {
      if (!member.value().is_string()) return wrong(key, "a map of texts"), out;
      out[std::string(member.key())] = std::string(member.value().as_string());
    }
    return out;
  }
  void wrong(std::string_view key, std::string_view expected) {
    if (!error_)
      error_.emplace(Errc::invalid,
                     "\"" + std::string(key) + "\" must be " + std::string(expected));
  }
  Result<> done() const {
    if (error_) return std::unexpected(*error_);
    return {};
  }

 private:
  const json::value* find(std::string_view key) {
    return object_.if_contains(json::string_view(key.data(), key.size()));
  }
  const json::object& object_;
  std::optional<Error> error_;
};

json::object to_json(const Error& error) {
  return {{"code", std::string(name_of(error.code()))}, {"text", error.text()}};
}

Error error_from(const json::object& object) {
  Reader reader(object);
  const std::string code = reader.text("code");
  for (int i = 0; i <= static_cast<int>(Errc::internal); ++i) {
    if (name_of(static_cast<Errc>(i)) == code) return {static_cast<Errc>(i), reader.text("text")};
  }
  return {Errc::internal, reader.text("text")};
}

json::object to_json(const MemberStatus& member) {
  return {
      {"name", member.name},          {"kind", member.kind},     {"state", member.state},
      {"address", member.address},    {"socket", member.socket}, {"netns", member.netns},
      {"cgroup", member.cgroup},      {"log", member.log},       {"daemon_pid", member.daemon_pid},
      {"container", member.container}};
}

json::object to_json(const format::Impairment& impairment) {
  json::object out{{"delay_us", impairment.delay.count()},
                   {"jitter_us", impairment.jitter.count()},
                   {"loss", impairment.loss},
                   {"burst", impairment.loss_burst},
                   {"duplicate", impairment.duplicate},
                   {"corrupt", impairment.corrupt},
                   {"reorder", impairment.reorder},
                   {"rate", impairment.rate},
                   {"limit", impairment.limit}};
  for (const auto& [distribution, name] : kDistributions) {
    if (distribution == impairment.distribution) out["distribution"] = std::string(name);
  }
  return out;
}

Result<format::Impairment> impairment_from(const json::object& object) {
  constexpr auto kMostUs = static_cast<std::int64_t>(format::kMostDelay.count());
  Reader reader(object);
  format::Impairment out;
  out.delay = std::chrono::microseconds(reader.integer("delay_us", 0, kMostUs));
  out.jitter = std::chrono::microseconds(reader.integer("jitter_us", 0, kMostUs));
  out.loss = reader.number("loss", 0, 1);
  out.loss_burst = reader.number("burst", 1, format::kMostBurst);
  out.duplicate = reader.number("duplicate", 0, 1);
  out.corrupt = reader.number("corrupt", 0, 1);
  out.reorder = reader.number("reorder", 0, 1);
  out.rate =
      static_cast<std::uint64_t>(reader.integer("rate", 0, static_cast<std::int64_t>(kMostRate)));
  out.limit = static_cast<std::uint32_t>(reader.integer("limit", 0, format::kMostWaiting));
  const std::string spread = reader.text("distribution");
  bool known = spread.empty();
  for (const auto& [distribution, name] : kDistributions) {
    if (name != spread) continue;
    out.distribution = distribution;
    known = true;
  }
  if (!known) reader.wrong("distribution", "uniform, normal or pareto");
  TRY_DO(reader.done());
  return out;
}

// Of a request: absent stays absent.
Result<> read_impairment(Reader& reader, std::string_view key,
                         std::optional<format::Impairment>& out) {
  const json::object* object = reader.object(key);
  if (!object) return {};
  TRY(out, impairment_from(*object).during(key));
  return {};
}

Result<std::vector<Severed>> severed_from(Reader& reader) {
  std::vector<Severed> out;
  const json::array* pairs = reader.array("severed", kMaxSevered);
  if (!pairs) return out;
  for (const json::value& value : *pairs) {
    const json::array* pair = value.if_array();
    if (!pair || pair->size() != 2 || !pair->at(0).is_string() || !pair->at(1).is_string())
      return fail(Errc::invalid, "\"severed\" must be a list of pairs of names");
    out.push_back(
        {.from = std::string(pair->at(0).as_string()), .to = std::string(pair->at(1).as_string())});
  }
  return out;
}

json::object to_json(const WayStatus& way) {
  return {{"impair", to_json(way.impairment)},
          {"summary", format::describe(way.impairment)},
          {"packets", way.packets},
          {"lost", way.lost},
          {"corrupted", way.corrupted},
          {"duplicated", way.duplicated},
          {"reordered", way.reordered},
          {"overflowed", way.overflowed}};
}

std::uint64_t count_from(Reader& reader, std::string_view key) {
  return static_cast<std::uint64_t>(reader.integer(key, 0, INT64_MAX / 2));
}

WayStatus way_from(const json::object* object) {
  WayStatus out;
  if (!object) return out;
  Reader reader(*object);
  if (const auto* impair = reader.object("impair"))
    out.impairment = impairment_from(*impair).value_or(format::Impairment{});
  out.packets = count_from(reader, "packets");
  out.lost = count_from(reader, "lost");
  out.corrupted = count_from(reader, "corrupted");
  out.duplicated = count_from(reader, "duplicated");
  out.reordered = count_from(reader, "reordered");
  out.overflowed = count_from(reader, "overflowed");
  return out;
}

json::object to_json(const LinkStatus& link) {
  return {{"a", link.a},
          {"b", link.b},
          {"state", link.state},
          {"wire", link.wire},
          {"backend", link.backend},
          {"forward", to_json(link.forward)},
          {"backward", to_json(link.backward)}};
}

LinkStatus link_from(const json::object& object) {
  Reader reader(object);
  return {.a = reader.text("a"),
          .b = reader.text("b"),
          .state = reader.text("state"),
          .wire = reader.flag("wire"),
          .backend = reader.text("backend"),
          .forward = way_from(reader.object("forward")),
          .backward = way_from(reader.object("backward"))};
}

json::object to_json(const Fidelity& fidelity) {
  return {{"relay", fidelity.relay},
          {"late_p50_us", fidelity.late_p50.count()},
          {"late_p99_us", fidelity.late_p99.count()},
          {"late_max_us", fidelity.late_max.count()},
          {"relayed", fidelity.relayed},
          {"overrun", fidelity.overrun},
          {"realtime", fidelity.realtime},
          {"starved_p99_us", fidelity.starved_p99.count()},
          {"starved_max_us", fidelity.starved_max.count()}};
}

Fidelity fidelity_from(const json::object& object) {
  Reader reader(object);
  const auto time = [&](std::string_view key) {
    return std::chrono::microseconds(reader.integer(key, 0, INT64_MAX / 2));
  };
  return {.relay = reader.flag("relay"),
          .late_p50 = time("late_p50_us"),
          .late_p99 = time("late_p99_us"),
          .late_max = time("late_max_us"),
          .relayed = count_from(reader, "relayed"),
          .overrun = count_from(reader, "overrun"),
          .realtime = reader.flag("realtime"),
          .starved_p99 = time("starved_p99_us"),
          .starved_max = time("starved_max_us")};
}

json::object to_json(const LabStatus& status) {
  json::array members;
  for (const MemberStatus& member : status.members) members.push_back(to_json(member));
  json::array background;
  for (const BackgroundStatus& process : status.background)
    background.push_back({{"name", process.name},
                          {"on", process.on},
                          {"pid", process.pid},
                          {"running", process.running}});
  json::array links;
  for (const LinkStatus& link : status.links) links.push_back(to_json(link));
  return {{"name", status.name},
          {"file", status.file},
          {"daemon_pid", status.daemon_pid},
          {"members", std::move(members)},
          {"background", std::move(background)},
          {"links", std::move(links)},
          {"fidelity", to_json(status.fidelity)}};
}

LabStatus status_from(const json::object& object) {
  Reader reader(object);
  LabStatus status{.name = reader.text("name"),
                   .file = reader.text("file"),
                   .daemon_pid = static_cast<int>(reader.integer("daemon_pid", 0, kMaxPid)),
                   .members = {},
                   .background = {}};
  if (const json::array* members = reader.array("members")) {
    for (const json::value& value : *members) {
      if (!value.is_object()) continue;
      Reader member(value.as_object());
      status.members.push_back(
          {.name = member.text("name"),
           .kind = member.text("kind"),
           .state = member.text("state"),
           .address = member.text("address"),
           .socket = member.text("socket"),
           .netns = member.text("netns"),
           .cgroup = member.text("cgroup"),
           .log = member.text("log"),
           .daemon_pid = static_cast<int>(member.integer("daemon_pid", 0, kMaxPid)),
           .container = member.text("container")});
    }
  }
  if (const json::array* background = reader.array("background")) {
    for (const json::value& value : *background) {
      if (!value.is_object()) continue;
      Reader process(value.as_object());
      status.background.push_back({.name = process.text("name"),
                                   .on = process.text("on"),
                                   .pid = static_cast<int>(process.integer("pid", 0, kMaxPid)),
                                   .running = process.flag("running")});
    }
  }
  if (const json::array* links = reader.array("links", kMaxLinks)) {
    for (const json::value& value : *links) {
      if (value.is_object()) status.links.push_back(link_from(value.as_object()));
    }
  }
  if (const auto* fidelity = reader.object("fidelity")) status.fidelity = fidelity_from(*fidelity);
  return status;
}

json::object to_json(const ExecResult& result) {
  return {{"exit", result.exit},
          {"signal", result.signal},
          {"timed_out", result.timed_out},
          {"time_ms", result.time.count()},
          {"out", result.out},
          {"err", result.err},
          {"dropped_bytes", result.dropped_bytes},
          {"running", result.running},
          {"printed_bytes", result.printed_bytes}};
}

ExecResult result_from(const json::object& object) {
  Reader reader(object);
  return {.exit = static_cast<int>(reader.integer("exit", 0, 255)),
          .signal = static_cast<int>(reader.integer("signal", 0, 255)),
          .timed_out = reader.flag("timed_out"),
          .time = std::chrono::milliseconds(reader.integer("time_ms", 0, INT64_MAX / 2)),
          .out = reader.text("out"),
          .err = reader.text("err"),
          .dropped_bytes =
              static_cast<std::uint64_t>(reader.integer("dropped_bytes", 0, INT64_MAX / 2)),
          .running = reader.flag("running"),
          .printed_bytes =
              static_cast<std::uint64_t>(reader.integer("printed_bytes", 0, INT64_MAX / 2))};
}

json::object to_json(const std::map<std::string, std::string>& texts) {
  json::object out;
  for (const auto& [key, value] : texts) out[key] = value;
  return out;
}

json::object to_json(const Entry& entry) {
  json::object out{
      {"netns", entry.netns},       {"mounts", entry.mounts},    {"uts", entry.uts},
      {"hostname", entry.hostname}, {"cgroup", entry.cgroup},    {"directory", entry.directory},
      {"user", entry.user},         {"env", to_json(entry.env)}, {"process", entry.process}};
  if (entry.capabilities) out["capabilities"] = *entry.capabilities;
  return out;
}

Entry entry_from(const json::object& object) {
  Reader reader(object);
  Entry out{.netns = reader.text("netns"),
            .mounts = reader.text("mounts"),
            .uts = reader.text("uts"),
            .hostname = reader.text("hostname"),
            .cgroup = reader.text("cgroup"),
            .directory = reader.text("directory"),
            .user = reader.text("user"),
            .env = reader.text_map("env"),
            .process = static_cast<int>(reader.integer("process", 0, kMaxPid))};
  if (object.contains("capabilities")) out.capabilities = count_from(reader, "capabilities");
  return out;
}

json::object to_json(const Event& event) {
  return {{"number", event.number},
          {"unix_ms", event.unix_ms},
          {"kind", event.kind},
          {"subject", event.subject},
          {"text", event.text}};
}

Event event_from(const json::object& object) {
  Reader reader(object);
  return {.number = static_cast<std::uint64_t>(reader.integer("number", 0, INT64_MAX / 2)),
          .unix_ms = reader.integer("unix_ms", 0, INT64_MAX / 2),
          .kind = reader.text("kind"),
          .subject = reader.text("subject"),
          .text = reader.text("text")};
}

std::vector<Event> events_from(const json::array& list) {
  std::vector<Event> out;
  for (const json::value& value : list) {
    if (value.is_object()) out.push_back(event_from(value.as_object()));
  }
  return out;
}

}  // namespace

std::string_view name_of(Op op) {
  const auto found = std::ranges::find(kOps, op, &std::pair<Op, std::string_view>::first);
  CHECK(found != kOps.end());
  return found->second;
}

std::string encode(const Request& request) {
  json::object out{{"op", std::string(name_of(request.op))},
                   {"target", request.target},
                   {"background", request.background},
                   {"network_only", request.network_only},
                   {"timeout_ms", request.timeout.count()},
                   {"after", request.after},
                   {"kind", request.kind},
                   {"text", request.text},
                   {"value", request.value}};
  out["command"] = json::array(request.command.begin(), request.command.end());
  if (request.forward) out["forward"] = to_json(*request.forward);
  if (request.backward) out["backward"] = to_json(*request.backward);
  json::array severed;
  for (const Severed& pair : request.severed) severed.push_back(json::array{pair.from, pair.to});
  if (!severed.empty()) out["severed"] = std::move(severed);
  if (request.op == Op::update) {
    out["directory"] = request.directory;
    out["dry_run"] = request.dry_run;
    out["env"] = to_json(request.env);
  }
  return json::serialize(out);
}

Result<Request> decode_request(std::string_view text) {
  TRY(const json::object object, parse_object(text, kMaxRequest));
  Reader reader(object);
  const std::string wanted = reader.text("op");
  Request request;
  bool known = false;
  for (const auto& [op, name] : kOps) {
    if (name != wanted) continue;
    request.op = op;
    known = true;
  }
  if (!known) return fail(Errc::invalid, "\"op\" is unknown: " + wanted.substr(0, 40));
  request.target = reader.text("target");
  request.background = reader.text("background");
  request.network_only = reader.flag("network_only");
  request.command = reader.texts("command");
  request.after = static_cast<std::uint64_t>(reader.integer("after", 0, INT64_MAX / 2));
  request.kind = reader.text("kind");
  request.timeout = std::chrono::milliseconds(reader.integer("timeout_ms", 0, kMaxTimeoutMs));
  TRY_DO(read_impairment(reader, "forward", request.forward));
  TRY_DO(read_impairment(reader, "backward", request.backward));
  TRY(request.severed, severed_from(reader));
  request.text = reader.text("text");
  request.directory = reader.text("directory");
  request.env = reader.text_map("env");
  request.dry_run = reader.flag("dry_run");
  request.value = reader.integer("value", INT64_MIN / 2, INT64_MAX / 2);
  TRY_DO(reader.done());
  for (const std::string& word : request.command) {
    if (word.find('\0') != std::string::npos)
      return fail(Errc::invalid, "\"command\" holds a zero byte");
  }
  return request;
}

std::string encode(const Reply& reply) {
  json::object out;
  if (reply.error) out["error"] = to_json(*reply.error);
  if (reply.result) out["result"] = to_json(*reply.result);
  if (reply.status) out["status"] = to_json(*reply.status);
  if (reply.entry) out["entry"] = to_json(*reply.entry);
  if (!reply.did.empty()) out["did"] = json::array(reply.did.begin(), reply.did.end());
  if (reply.events) {
    json::array& list = out["events"].emplace_array();
    for (const Event& event : *reply.events) list.push_back(to_json(event));
  }
  if (reply.text) out["text"] = *reply.text;
  return json::serialize(out);
}

Result<Reply> decode_reply(std::string_view text) {
  TRY(const json::object object, parse_object(text, kMaxReply));
  Reader reader(object);
  Reply reply;
  if (const auto* error = reader.object("error")) reply.error = error_from(*error);
  if (const auto* result = reader.object("result")) reply.result = result_from(*result);
  if (const auto* status = reader.object("status")) reply.status = status_from(*status);
  if (const auto* entry = reader.object("entry")) reply.entry = entry_from(*entry);
  reply.did = reader.texts("did");
  if (const auto* events = reader.array("events")) reply.events = events_from(*events);
  if (object.contains("text")) reply.text = reader.text("text");
  TRY_DO(reader.done());
  return reply;
}

std::string encode(const Progress& progress) {
  json::object out{
      {"did", progress.did}, {"time_ms", progress.time.count()}, {"ready", progress.ready}};
  if (progress.total > 0) {
    out["done"] = progress.done;
    out["total"] = progress.total;
  }
  if (progress.error) out["error"] = to_json(*progress.error);
  return json::serialize(out);
}

Result<Progress> decode_progress(std::string_view text) {
  TRY(const json::object object, parse_object(text, kMaxRequest));
  Reader reader(object);
  Progress progress{.did = reader.text("did"),
                    .time = std::chrono::milliseconds(reader.integer("time_ms", 0, INT64_MAX / 2)),
                    .ready = reader.flag("ready"),
                    .error = std::nullopt,
                    .done = static_cast<std::size_t>(reader.integer("done", 0, INT32_MAX)),
                    .total = static_cast<std::size_t>(reader.integer("total", 0, INT32_MAX))};
  if (const auto* error = reader.object("error")) progress.error = error_from(*error);
  TRY_DO(reader.done());
  return progress;
}

std::string format_json(const Event& event) {
  return json::serialize(to_json(event));
}

std::string format_json(const LabStatus& status) {
  return json::serialize(to_json(status));
}

}  // namespace heddle::control
