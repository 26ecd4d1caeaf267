#include "ctl/cmd/ports.h"

#include <algorithm>

namespace heddle::cmd {
namespace {

Result<model::ServicePort> parse_port(const std::string& text) {
  model::ServicePort port;
  std::string rest = text;
  if (const auto equals = rest.find('='); equals != std::string::npos) {
    port.name = rest.substr(0, equals);
    TRY_DO(model::check_name("--port name", port.name));
    rest.erase(0, equals + 1);
  }
  auto slash = std::min(rest.find('/'), rest.size());
  TRY(const auto number, parse_number("--port", rest.substr(0, slash), {1, 65535}));
  port.port = static_cast<std::uint16_t>(number);
  while (slash < rest.size()) {
    const auto next = std::min(rest.find('/', slash + 1), rest.size());
    const std::string word = rest.substr(slash + 1, next - slash - 1);
    slash = next;
    if (word == "tcp" || word == "udp") {
      port.protocol = word == "tcp" ? model::Protocol::tcp : model::Protocol::udp;
    } else if (word == "http" || word == "http1") {
      port.app = model::AppProtocol::http1;
    } else if (word == "http2") {
      port.app = model::AppProtocol::http2;
    } else if (word == "opaque") {
      port.app = model::AppProtocol::tcp;
    } else {
      return fail(Errc::invalid, "--port '" + text + "': '" + word +
                                     "' is unknown; choose tcp, udp, http, http2 or opaque");
    }
  }
  const bool speaks_http =
      port.app == model::AppProtocol::http1 || port.app == model::AppProtocol::http2;
  if (speaks_http && port.protocol == model::Protocol::udp) {
    return fail(Errc::invalid, "--port '" + text + "': HTTP runs over tcp here");
  }
  return port;
}

}  // namespace

Result<std::vector<model::ServicePort>> parse_ports(const std::vector<std::string>& texts) {
  std::vector<model::ServicePort> ports;
  for (const auto& text : texts) {
    TRY(auto port, parse_port(text));
    const bool twice = std::ranges::any_of(ports, [&](const auto& other) {
      return other.port == port.port && other.protocol == port.protocol;
    });
    if (twice) return fail(Errc::invalid, "--port '" + text + "' is given twice");
    ports.push_back(std::move(port));
  }
  return ports;
}

Result<std::vector<model::ServicePort>> parse_ports(const Arguments& arguments) {
  if (arguments.has("--port") && !arguments.has("--service")) {
    return fail(Errc::invalid, "--port needs --service: ports are a service's");
  }
  return parse_ports(arguments.list("--port"));
}

}  // namespace heddle::cmd
