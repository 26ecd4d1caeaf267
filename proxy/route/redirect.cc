#include "proxy/route/redirect.h"

namespace heddle::route {
namespace {

struct Parts {
  std::string_view protocol;
  std::string_view host;
  std::string port;
  std::string_view path;
  std::string_view query;
};

std::string filled(std::string_view text, const Parts& parts) {
  std::string out;
  while (!text.empty()) {
    const auto at = text.find("#{");
    out.append(text.substr(0, at));
    if (at == std::string_view::npos) break;
    text.remove_prefix(at);
    const auto take = [&](std::string_view word, std::string_view value) {
      if (!text.starts_with(word)) return false;
      out.append(value);
      text.remove_prefix(word.size());
      return true;
    };
    const bool known = take("#{protocol}", parts.protocol) || take("#{host}", parts.host) ||
                       take("#{port}", parts.port) || take("#{path}", parts.path) ||
                       take("#{query}", parts.query);
    if (known) continue;
    out.append("#{");
    text.remove_prefix(2);
  }
  return out;
}

std::string_view own_port(std::string_view protocol) {
  return protocol == "https" ? "443" : "80";
}

}  // namespace

std::string location_of(const snapshot::Redirect& redirect, const http::RequestHead& request,
                        const Arrival& arrival) {
  if (!redirect.location.empty()) return redirect.location;
  Parts parts;
  parts.protocol = arrival.protocol;
  parts.host = request.host;
  parts.port = std::to_string(arrival.port);
  const auto colon = parts.host.rfind(':');
  if (colon != std::string_view::npos && parts.host.find(']', colon) == std::string_view::npos) {
    // What the client connected to, which a translation of ports between hides from us.
    parts.port = parts.host.substr(colon + 1);
    parts.host = parts.host.substr(0, colon);
  } else if (!parts.host.empty()) {
    parts.port = own_port(parts.protocol);
  }
  parts.path = request.path.starts_with('/') ? request.path.substr(1) : std::string_view();
  const auto mark = request.target.find('?');
  if (mark != std::string_view::npos) parts.query = request.target.substr(mark + 1);

  const std::string protocol = filled(redirect.protocol, parts);
  // Nobody speaks the other protocol on the port that the client used.
  const bool moved = redirect.port == "#{port}" && protocol != parts.protocol;
  const std::string port = moved ? std::string() : filled(redirect.port, parts);
  std::string out = protocol + "://" + filled(redirect.host, parts);
  if (!port.empty() && port != own_port(protocol)) out += ":" + port;
  out += filled(redirect.path, parts);
  const std::string query = filled(redirect.query, parts);
  if (!query.empty()) out += "?" + query;
  return out;
}

}  // namespace heddle::route
