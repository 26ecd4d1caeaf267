#include "common/net/rate.h"
#include "topologies/engine/format/keys.h"
#include "topologies/engine/format/sections.h"

namespace heddle::format {
namespace {

constexpr std::size_t kMaxChecks = 1000;
constexpr std::size_t kMaxCommandBytes = 64 * 1024;
constexpr Milliseconds kShortestPeriod{10};
constexpr MapReader::Range kPings{1, 100};
constexpr MapReader::Range kStatus{100, 599};
// What takes longer than a packet there and back by itself.
constexpr Milliseconds kCommandTime{5000};

std::optional<double> rate(const MapReader& map, std::string_view key) {
  const auto text = map.text(key);
  if (!text) return std::nullopt;
  if (const auto bits = parse_rate(*text)) return static_cast<double>(*bits);
  map.error(key, "must be " + std::string(kRateForm) + ", not \"" + text->substr(0, 40) + "\"");
  return std::nullopt;
}

class CheckReader {
 public:
  CheckReader(std::size_t index, const YamlNode& node, Diagnostics& diagnostics)
      : path_("checks[" + std::to_string(index) + "]"),
        map_(node, path_, keys::kCheck, diagnostics),
        diagnostics_(diagnostics) {}

  Check read() {
    Check check;
    check.mark = map_.mark();
    check.on = map_.texts("on");
    read_probe(check);
    read_when(check);
    if (const auto every = map_.duration("every")) check.every = *every;
    if (check.every < kShortestPeriod) map_.error("every", "must be at least 10ms");
    if (const auto timeout = map_.duration("timeout")) {
      check.timeout = *timeout;
      if (check.timeout < kShortestPeriod) map_.error("timeout", "must be at least 10ms");
    }
    if (const auto name = map_.text("name")) check.name = *name;
    const bool everywhere = std::holds_alternative<probe::Verify>(check.probe);
    if (check.on.empty() && !everywhere)
      diagnostics_.error(map_.mark(), path_ + ".on", "missing: name the host or node to look from");
    return check;
  }

 private:
  void read_probe(Check& check) {
    std::vector<std::string_view> found;
    for (std::string_view key : keys::kProbes) {
      if (map_.find(key)) found.push_back(key);
    }
    if (found.size() != 1) {
      diagnostics_.error(map_.mark(), path_,
                         found.empty() ? "looks at nothing; add ping, http, tcp, dns, exec, "
                                         "throughput or verify"
                                       : "looks at two things, " + std::string(found[0]) + " and " +
                                             std::string(found[1]) + "; make them two checks");
      return;
    }
    const std::string_view key = found.front();
    if (key == "ping") read_ping(check);
    if (key == "http") read_http(check);
    if (key == "tcp") read_tcp(check);
    if (key == "dns") read_dns(check);
    if (key == "exec") read_exec(check);
    if (key == "throughput") read_throughput(check);
    if (key == "verify") {
      if (map_.flag("verify") == false) map_.error("verify", "must be true");
      check.probe = probe::Verify{};
      check.name = "verify";
      check.timeout = kCommandTime;
    }
  }

  // The probe's own map; a text is short for its first key.
  MapReader inner(std::string_view key, std::span<const std::string_view> known) {
    const YamlNode& value = *map_.find(key);
    if (value.kind != YamlNode::Kind::scalar)
      return {value, map_.path_of(key), known, diagnostics_};
    short_.kind = YamlNode::Kind::map;
    short_.mark = value.mark;
    short_.entries = {{.key = std::string(known.front()), .mark = value.mark, .value = value}};
    return {short_, map_.path_of(key), known, diagnostics_};
  }

  std::string needed(const MapReader& map, std::string_view key, const char* what) {
    const std::string text = map.text(key).value_or("");
    if (text.empty()) map.error(key, std::string("missing: ") + what);
    if (text.size() > kMaxCommandBytes) map.error(key, "is longer than 64 KiB");
    if (text.find('\0') != std::string::npos) map.error(key, "holds a zero byte");
    return text;
  }

  void read_ping(Check& check) {
    const MapReader map = inner("ping", keys::kPing);
    probe::Ping ping;
    ping.to = needed(map, "to", "a host, node or address");
    ping.count = map.integer("count", kPings).value_or(1);
    check.name = "ping " + ping.to;
    check.probe = std::move(ping);
  }

  void read_http(Check& check) {
    const MapReader map = inner("http", keys::kHttp);
    probe::Http http;
    http.url = needed(map, "url", "http://HOST[:PORT]/PATH");
    if (!http.url.empty() && !http.url.starts_with("http://") && !http.url.starts_with("${"))
      map.error("url", "must be http://HOST[:PORT]/PATH");
    http.status = map.integer("status", kStatus).value_or(200);
    http.contains = map.text("contains").value_or("");
    check.name = "GET " + http.url;
    check.probe = std::move(http);
  }

  void read_tcp(Check& check) {
    const MapReader map = inner("tcp", keys::kTcp);
    const std::string to = needed(map, "to", "HOST:PORT");
    if (!to.empty() && to.find(':') == std::string::npos) map.error("to", "must be HOST:PORT");
    check.probe = probe::Tcp{to};
    check.name = "tcp " + to;
  }

  void read_dns(Check& check) {
    static constexpr auto kTypes = std::to_array<std::string_view>({"A", "AAAA"});
    const MapReader map = inner("dns", keys::kDnsProbe);
    probe::Dns dns;
    dns.name = needed(map, "name", "what to ask for");
    dns.server = map.text("server").value_or("");
    dns.type = map.text("type").value_or("A");
    if (dns.type != "A" && dns.type != "AAAA")
      map.error("type", "must be A or AAAA" + suggestion(dns.type, kTypes));
    dns.answers = map.texts("answers");
    dns.none = map.flag("none").value_or(false);
    if (dns.none && !dns.answers.empty()) map.error("none", "does not go with answers");
    check.name = "dns " + dns.name;
    check.probe = std::move(dns);
  }

  void read_exec(Check& check) {
    probe::Exec exec;
    const YamlNode& command = *map_.find("exec");
    if (command.kind == YamlNode::Kind::list) {
      exec.command = map_.texts("exec");
      for (const std::string& word : exec.command)
        exec.shown += (exec.shown.empty() ? "" : " ") + word;
    } else if (const auto line = map_.text("exec")) {
      exec.command = {"/bin/sh", "-ec", *line};
      exec.shown = line->substr(0, line->find_last_not_of(" \n") + 1);
    }
    if (exec.shown.empty()) map_.error("exec", "is empty");
    if (exec.shown.size() > kMaxCommandBytes) map_.error("exec", "is longer than 64 KiB");
    if (exec.shown.find('\0') != std::string::npos) map_.error("exec", "holds a zero byte");
    check.name = exec.shown.substr(0, exec.shown.find('\n'));
    check.timeout = kCommandTime;
    check.probe = std::move(exec);
  }

  void read_throughput(Check& check) {
    const MapReader map(*map_.find("throughput"), map_.path_of("throughput"), keys::kThroughput,
                        diagnostics_);
    probe::Throughput throughput;
    throughput.to = needed(map, "to", "HOST:PORT of a heddle-traffic tcp-sink");
    if (!throughput.to.empty() && throughput.to.find(':') == std::string::npos)
      map.error("to", "must be HOST:PORT of a heddle-traffic tcp-sink");
    throughput.at_least = rate(map, "at-least").value_or(0);
    throughput.at_most = rate(map, "at-most").value_or(0);
    if (throughput.at_least == 0 && throughput.at_most == 0)
      diagnostics_.error(map.mark(), map_.path_of("throughput"),
                         "says no bound; add at-least or at-most, such as 10Mbit");
    if (throughput.at_most > 0 && throughput.at_least > throughput.at_most)
      map.error("at-least", "is more than at-most");
    if (const auto time = map.duration("time")) throughput.time = *time;
    if (throughput.time < Milliseconds{100}) map.error("time", "must be at least 100ms");
    check.name = "throughput to " + throughput.to;
    check.timeout = throughput.time + kCommandTime;
    check.probe = std::move(throughput);
  }

  void read_when(Check& check) {
    static constexpr auto kWhen =
        std::to_array<std::string_view>({"eventually", "always", "never", "sometimes"});
    std::vector<std::string_view> found;
    for (std::string_view key : kWhen) {
      if (map_.find(key)) found.push_back(key);
    }
    if (found.size() > 1)
      map_.error(found[1], "does not go with " + std::string(found[0]) + "; make them two checks");
    if (found.empty()) return;
    if (found.front() == "eventually") {
      if (const auto within = map_.duration("eventually")) check.within = *within;
      return;
    }
    if (map_.flag(found.front()) == false) map_.error(found.front(), "must be true");
    if (found.front() == "always") check.when = Check::When::always;
    if (found.front() == "never") check.when = Check::When::never;
    if (found.front() == "sometimes") check.when = Check::When::sometimes;
  }

  std::string path_;
  MapReader map_;
  Diagnostics& diagnostics_;
  YamlNode short_;
};

}  // namespace

void read_checks(const YamlNode& checks, Lab& lab, Diagnostics& diagnostics) {
  if (checks.kind != YamlNode::Kind::list || checks.items.size() > kMaxChecks) {
    diagnostics.error(checks.mark, "checks",
                      checks.kind == YamlNode::Kind::list ? "more than 1000" : "must be a list");
    return;
  }
  for (std::size_t i = 0; i < checks.items.size(); ++i)
    lab.checks.push_back(CheckReader(i, checks.items[i], diagnostics).read());
}

}  // namespace heddle::format
