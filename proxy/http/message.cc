#include "proxy/http/message.h"

#include "proxy/http/framing.h"
#include "proxy/http/syntax.h"

namespace heddle::http {

const HeaderField* MessageHead::find(FieldId id) const {
  for (const HeaderField& field : fields) {
    if (field.id == id) return &field;
  }
  return nullptr;
}

std::optional<std::string_view> MessageHead::value_of(std::string_view name) const {
  for (const HeaderField& field : fields) {
    if (iequals(field.name, name)) return field.value;
  }
  return std::nullopt;
}

bool RequestHead::is_idempotent() const {
  return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "PUT" ||
         method == "DELETE" || method == "TRACE";
}

namespace {

std::string_view take_head(std::string_view bytes, MessageHead& out) {
  if (bytes.starts_with("\r\n")) bytes.remove_prefix(2);
  out.bytes.assign(bytes.begin(), bytes.end());
  out.fields.clear();
  out.body = {};
  out.keep_alive = false;
  out.upgrade = {};
  return {out.bytes.data(), out.bytes.size()};
}

std::optional<Refusal> parse_version(std::string_view text, Version& out) {
  const bool shaped = text.size() == 8 && text.starts_with("HTTP/") && text[5] >= '0' &&
                      text[5] <= '9' && text[6] == '.' && text[7] >= '0' && text[7] <= '9';
  if (!shaped) return Refusal::version;
  if (text[5] != '1' || (text[7] != '0' && text[7] != '1')) return Refusal::unsupported_version;
  out = text[7] == '1' ? Version::http11 : Version::http10;
  return std::nullopt;
}

std::string_view without_default_port(std::string_view authority) {
  if (authority.ends_with(":80")) authority.remove_suffix(3);
  return authority;
}

// `http://authority[/path][?query]` (RFC 9112, section 3.2.2).
std::optional<Refusal> parse_absolute_form(RequestHead& out) {
  std::string_view rest = out.target;
  const auto scheme_end = rest.find("://");
  if (scheme_end == std::string_view::npos) return Refusal::target;
  const std::string_view scheme = rest.substr(0, scheme_end);
  if (!iequals(scheme, "http") && !iequals(scheme, "https")) return Refusal::target;
  rest.remove_prefix(scheme_end + 3);
  const auto authority_end = rest.find_first_of("/?");
  out.host = rest.substr(0, authority_end);
  if (!is_authority(out.host)) return Refusal::target;
  out.target =
      authority_end == std::string_view::npos ? std::string_view() : rest.substr(authority_end);
  out.path_is_root = !out.target.starts_with('/');
  return std::nullopt;
}

std::optional<Refusal> parse_target(RequestHead& out) {
  out.host = {};
  out.path_is_root = false;
  if (out.target.empty() || !is_target_text(out.target)) return Refusal::target;
  if (out.method == "CONNECT") {
    return is_authority(out.target) && out.target.find(':') != std::string_view::npos
               ? Refusal::connect
               : Refusal::target;
  }
  if (out.target == "*") {
    if (out.method != "OPTIONS") return Refusal::target;
  } else if (out.target.front() != '/') {
    if (const auto refusal = parse_absolute_form(out)) return refusal;
  }
  out.path = out.path_is_root ? std::string_view("/") : out.target.substr(0, out.target.find('?'));
  return std::nullopt;
}

std::optional<Refusal> parse_request_line(std::string_view line, const Limits& limits,
                                          RequestHead& out) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return Refusal::request_line;
  out.method = line.substr(0, first);
  out.target = line.substr(first + 1, last - first - 1);
  if (!is_token(out.method) || out.method.size() > 32) return Refusal::method;
  if (out.target.size() > limits.target_bytes) return Refusal::target_too_long;
  if (const auto refusal = parse_version(line.substr(last + 1), out.version)) return refusal;
  return parse_target(out);
}

std::optional<Refusal> judge_host(RequestHead& out) {
  const HeaderField* host = nullptr;
  for (const HeaderField& field : out.fields) {
    if (field.id != FieldId::host) continue;
    if (host) return Refusal::duplicate_host;
    host = &field;
  }
  if (!host) {
    return out.version == Version::http11 ? std::optional(Refusal::missing_host) : std::nullopt;
  }
  if (!is_authority(host->value)) return Refusal::host;
  if (!out.host.empty() &&
      !iequals(without_default_port(out.host), without_default_port(host->value))) {
    return Refusal::host_mismatch;
  }
  out.host = host->value;
  return std::nullopt;
}

void judge_te(RequestHead& out) {
  out.takes_trailers = false;
  for (const HeaderField& field : out.fields) {
    if (field.id != FieldId::hop_by_hop || !iequals(field.name, "te")) continue;
    for_each_member(field.value, [&](std::string_view member) {
      if (iequals(member, "trailers")) out.takes_trailers = true;
    });
  }
}

std::optional<Refusal> judge_expect(RequestHead& out) {
  out.expects_continue = false;
  for (const HeaderField& field : out.fields) {
    if (field.id != FieldId::expect) continue;
    if (!iequals(field.value, "100-continue")) return Refusal::expectation;
    // RFC 9110, section 10.1.1: ignored in HTTP/1.0 and without a body.
    out.expects_continue = out.version == Version::http11 && out.body.kind != BodyKind::none;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Refusal> parse_request(std::string_view bytes, const Limits& limits,
                                     RequestHead& out) {
  const std::string_view head = take_head(bytes, out);
  const auto line_end = head.find("\r\n");
  if (line_end == std::string_view::npos || !head.ends_with("\r\n\r\n")) return Refusal::line_end;
  if (const auto r = parse_request_line(head.substr(0, line_end), limits, out)) return r;
  const auto fields = head.substr(line_end + 2, head.size() - line_end - 4);
  if (const auto r = parse_fields(fields, limits, out.fields)) return r;
  if (const auto r = judge_host(out)) return r;
  if (const auto r = judge_request_framing(out)) return r;
  if (const auto r = judge_expect(out)) return r;
  judge_te(out);
  judge_connection(out);
  if (out.body.kind != BodyKind::none || out.version == Version::http10) out.upgrade = {};
  return std::nullopt;
}

std::optional<Refusal> parse_response(std::string_view bytes, const Limits& limits,
                                      ResponseContext context, ResponseHead& out) {
  const std::string_view head = take_head(bytes, out);
  const auto line_end = head.find("\r\n");
  if (line_end == std::string_view::npos || !head.ends_with("\r\n\r\n")) return Refusal::line_end;
  const std::string_view line = head.substr(0, line_end);
  if (line.size() < 12 || line[8] != ' ') return Refusal::status_line;
  if (const auto r = parse_version(line.substr(0, 8), out.version)) return r;
  const auto status = parse_decimal(line.substr(9, 3));
  if (!status || *status < 100 || *status > 599) return Refusal::status_line;
  if (line.size() > 12 && line[12] != ' ') return Refusal::status_line;
  out.status = static_cast<int>(*status);
  out.reason = line.size() > 13 ? line.substr(13) : std::string_view();
  if (!is_field_value(out.reason)) return Refusal::status_line;
  const auto fields = head.substr(line_end + 2, head.size() - line_end - 4);
  if (const auto r = parse_fields(fields, limits, out.fields)) return r;
  if (const auto r = judge_response_framing(context.to_head, out)) return r;
  judge_connection(out);
  out.reusable = out.reusable && out.keep_alive;
  return std::nullopt;
}

Guess guess_protocol(std::string_view bytes) {
  static constexpr std::string_view kMethods[] = {"GET ",    "HEAD ",    "POST ",  "PUT ",
                                                  "DELETE ", "OPTIONS ", "PATCH ", "TRACE "};
  bool begun = false;
  for (const std::string_view method : kMethods) {
    const std::size_t n = std::min(method.size(), bytes.size());
    if (bytes.substr(0, n) == method.substr(0, n)) begun = true;
  }
  if (!begun) return Guess::other;
  const auto lf = bytes.find('\n');
  if (lf == std::string_view::npos) return bytes.size() > 8192 ? Guess::other : Guess::more;
  std::string_view line = bytes.substr(0, lf);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line.ends_with(" HTTP/1.1") || line.ends_with(" HTTP/1.0") ? Guess::http1 : Guess::other;
}

}  // namespace heddle::http
