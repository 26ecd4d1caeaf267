#include "topologies/engine/scenario/probe_command.h"

#include <boost/json.hpp>

namespace heddle::scenario {
namespace {

namespace json = boost::json;
namespace probe = format::probe;
using Words = std::vector<std::string>;

std::string milliseconds(std::chrono::milliseconds time) {
  return std::to_string(time.count()) + "ms";
}

class CommandWriter {
 public:
  CommandWriter(const format::Lab& lab, const Place& place, const steps::Variables& variables)
      : lab_(lab), place_(place), variables_(variables) {}

  Words words(const probe::Ping& ping) const {
    return {"ping", "--to", address_of(filled(ping.to)), "--count", std::to_string(ping.count)};
  }
  Words words(const probe::Http& http) const {
    Words out{"http", "--url", filled(http.url), "--status", std::to_string(http.status)};
    if (!http.contains.empty()) out.push_back("--contains=" + filled(http.contains));
    return out;
  }
  Words words(const probe::Tcp& tcp) const { return {"tcp", "--to", filled(tcp.to)}; }
  Words words(const probe::Dns& dns) const {
    Words out{"dns", "--name", filled(dns.name), "--type", dns.type};
    for (const std::string& answer : dns.answers) out.push_back("--answer=" + filled(answer));
    if (dns.none) out.push_back("--none");
    // Workloads have their resolver there whatever their resolv.conf says.
    std::string server = filled(dns.server);
    if (server.empty() && !place_.workload.empty()) server = "127.0.0.11";
    // Nor is a container's resolv.conf in sight of what looks from its network alone.
    const format::Node* node = lab_.find_node(place_.member);
    if (server.empty() && node && node->container && !node->dns.servers.empty())
      server = node->dns.servers.front();
    if (!server.empty()) out.push_back("--server=" + server);
    return out;
  }
  Words words(const probe::Throughput& flow) const {
    return {"throughput",
            "--to",
            filled(flow.to),
            "--time=" + milliseconds(flow.time),
            "--at-least=" + std::to_string(flow.at_least),
            "--at-most=" + std::to_string(flow.at_most)};
  }
  Words words(const probe::Exec& exec) const {
    Words out;
    for (const std::string& word : exec.command) out.push_back(filled(word));
    return out;
  }
  Words words(const probe::Verify&) const { return {"heddle", "verify"}; }

 private:
  std::string filled(const std::string& text) const {
    return steps::expand_known(text, variables_);
  }
  // Members are not in anybody's resolver.
  std::string address_of(const std::string& name) const {
    if (const format::Host* host = lab_.find_host(name)) return host->address.format();
    const format::Node* node = lab_.find_node(name);
    return node && node->underlay ? node->underlay->format() : name;
  }

  const format::Lab& lab_;
  const Place& place_;
  const steps::Variables& variables_;
};

}  // namespace

Place place_of(const std::string& on) {
  const std::size_t slash = on.find('/');
  if (slash == std::string::npos) return {.member = on, .workload = ""};
  return {.member = on.substr(0, slash), .workload = on.substr(slash + 1)};
}

ProbeCommand probe_command(const format::Lab& lab, const format::Check& check, const Place& place,
                           const steps::Variables& variables) {
  const CommandWriter writer(lab, place, variables);
  ProbeCommand out;
  const format::Node* node = lab.find_node(place.member);
  out.lasting = !std::holds_alternative<probe::Exec>(check.probe) &&
                !std::holds_alternative<probe::Verify>(check.probe);
  if (!place.workload.empty()) out.words = {"heddle", "exec", place.workload, "--"};
  if (out.lasting) out.words.insert(out.words.end(), {"heddle-traffic", "probe"});
  const Words words =
      std::visit([&](const auto& probe) { return writer.words(probe); }, check.probe);
  out.words.insert(out.words.end(), words.begin(), words.end());
  if (out.lasting)
    out.words.insert(out.words.end(), {"--every=" + milliseconds(check.every),
                                       "--timeout=" + milliseconds(check.timeout)});
  // An image does not have Heddle's programs.
  out.network_only = out.lasting && node && node->container;
  return out;
}

std::optional<ProbeLine> read_probe_line(const std::string& line) {
  json::parse_options options;
  options.allow_invalid_utf8 = true;
  boost::system::error_code ec;
  const json::value value = json::parse(line, ec, {}, options);
  if (ec || !value.is_object()) return std::nullopt;
  const json::object& object = value.as_object();
  const auto* from = object.if_contains("from_us");
  const auto* to = object.if_contains("to_us");
  const auto* ok = object.if_contains("ok");
  const auto* why = object.if_contains("why");
  if (!from || !to || !ok || !why || !from->is_int64() || !to->is_int64() || !ok->is_bool() ||
      !why->is_string())
    return std::nullopt;
  return ProbeLine{.from = std::chrono::microseconds(from->as_int64()),
                   .to = std::chrono::microseconds(to->as_int64()),
                   .held = ok->as_bool(),
                   .problem = std::string(why->as_string())};
}

}  // namespace heddle::scenario
