#include "ctl/cmd/lb_parse.h"

#include <algorithm>

#include "ctl/cmd/command.h"

namespace heddle::cmd {
namespace {

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::size_t start = 0;
  for (;;) {
    const auto end = text.find(separator, start);
    parts.push_back(trimmed(text.substr(start, end - start)));
    if (end == std::string::npos) return parts;
    start = end + 1;
  }
}

std::unexpected<Error> bad_rule(const std::string& text, const std::string& why) {
  return fail(Errc::invalid, "--rule '" + text + "': " + why +
                                 "; write it as 'host=shop.example.org,path=/api* -> GROUP'");
}

Result<> add_condition(model::LbRule& rule, const std::string& text, const std::string& condition) {
  if (condition.starts_with("host=") && condition.size() > 5) {
    if (!rule.host.empty()) return bad_rule(text, "host is given twice");
    rule.host = condition.substr(5);
    const auto star = rule.host.rfind('*');
    if (star != std::string::npos && (star != 0 || !rule.host.starts_with("*."))) {
      return bad_rule(text, "a host's '*' stands for its first labels, as in *.example.org");
    }
    return {};
  }
  if (condition.starts_with("path=/")) {
    if (!rule.path_prefix.empty()) return bad_rule(text, "path is given twice");
    std::string path = condition.substr(5);
    if (!path.ends_with('*')) return bad_rule(text, "a path is a prefix and ends with '*'");
    path.pop_back();
    if (path.find('*') != std::string::npos) return bad_rule(text, "'*' may only end a path");
    rule.path_prefix = path;
    return {};
  }
  return bad_rule(text, "'" + condition + "' is neither host=HOST nor path=/PREFIX*");
}

}  // namespace

Result<model::LbListener> parse_listen(const std::string& text) {
  model::LbListener listener;
  std::string rest;
  std::string default_port;
  if (text.starts_with("http://")) {
    listener.protocol = model::AppProtocol::http1;
    rest = text.substr(7);
    default_port = ":80";
  } else if (text.starts_with("tcp://")) {
    listener.protocol = model::AppProtocol::tcp;
    rest = text.substr(6);
  } else {
    return fail(Errc::invalid, "--listen '" + text +
                                   "' must start with http:// or tcp://, as in http://0.0.0.0:80");
  }
  if (rest.ends_with('/')) rest.pop_back();
  auto address = SocketAddr::parse(rest);
  if (!address && !default_port.empty()) address = SocketAddr::parse(rest + default_port);
  if (!address || address->port == 0) {
    return fail(Errc::invalid, "--listen '" + text + "': '" + rest +
                                   "' is no address and port, as in 0.0.0.0:80 or [::]:80");
  }
  listener.address = *address;
  return listener;
}

Result<model::TargetGroup> parse_target(const std::string& text) {
  model::TargetGroup group;
  auto parts = split(text, ',');
  if (parts.size() == 2 && parts[1] == "least-request") {
    group.algorithm = model::LbAlgorithm::least_request;
  } else if (parts.size() > 2 || (parts.size() == 2 && parts[1] != "round-robin")) {
    return fail(Errc::invalid, "--target '" + text + "': '" + parts[1] +
                                   "' is unknown; choose round-robin or least-request");
  }
  std::string target = parts[0];
  if (const auto equals = target.find('='); equals != std::string::npos) {
    group.name = target.substr(0, equals);
    TRY_DO(model::check_name("--target group", group.name));
    target.erase(0, equals + 1);
  }
  const auto colon = target.rfind(':');
  if (colon == std::string::npos) {
    return fail(Errc::invalid, "--target '" + text + "' must be [GROUP=]SERVICE:PORT");
  }
  group.service = target.substr(0, colon);
  if (group.name.empty()) group.name = group.service;
  TRY_DO(model::check_name("--target service", group.service));
  TRY(const auto port, parse_number("--target port", target.substr(colon + 1), {1, 65535}));
  group.port = static_cast<std::uint16_t>(port);
  return group;
}

Result<model::LbRule> parse_rule(const std::string& text) {
  const auto arrow = text.find("->");
  if (arrow == std::string::npos) return bad_rule(text, "'->' is missing");
  model::LbRule rule;
  rule.target_group = trimmed(text.substr(arrow + 2));
  TRY_DO(model::check_name("--rule target group", rule.target_group));
  for (const auto& condition : split(text.substr(0, arrow), ',')) {
    TRY_DO(add_condition(rule, text, condition));
  }
  return rule;
}

}  // namespace heddle::cmd
