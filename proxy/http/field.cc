#include "proxy/http/field.h"

#include "proxy/http/syntax.h"

namespace heddle::http {
namespace {

struct Known {
  std::string_view name;
  FieldId id;
};

constexpr Known kKnown[] = {
    {"te", FieldId::hop_by_hop},
    {"via", FieldId::via},
    {"host", FieldId::host},
    {"expect", FieldId::expect},
    {"upgrade", FieldId::upgrade},
    {"connection", FieldId::connection},
    {"keep-alive", FieldId::hop_by_hop},
    {"x-request-id", FieldId::request_id},
    {"content-length", FieldId::content_length},
    {"http2-settings", FieldId::hop_by_hop},
    {"x-forwarded-for", FieldId::forwarded_for},
    {"x-forwarded-host", FieldId::forwarded_host},
    {"x-forwarded-port", FieldId::forwarded_port},
    {"x-forwarded-proto", FieldId::forwarded_proto},
    {"proxy-connection", FieldId::hop_by_hop},
    {"transfer-encoding", FieldId::transfer_encoding},
    {"proxy-authenticate", FieldId::hop_by_hop},
    {"proxy-authorization", FieldId::hop_by_hop},
    {"proxy-authentication-info", FieldId::hop_by_hop},
};

}  // namespace

FieldId field_id(std::string_view name) {
  for (const Known& known : kKnown) {
    if (known.name.size() == name.size() && to_lower(name.front()) == known.name.front() &&
        iequals(known.name, name)) {
      return known.id;
    }
  }
  return FieldId::other;
}

std::optional<Refusal> parse_field(std::string_view line, HeaderField& out) {
  if (line.starts_with(' ') || line.starts_with('\t')) return Refusal::obs_fold;
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return Refusal::field_name;
  out.name = line.substr(0, colon);
  if (!is_token(out.name)) return Refusal::field_name;
  out.value = trim(line.substr(colon + 1));
  if (!is_field_value(out.value)) return Refusal::field_value;
  out.id = field_id(out.name);
  out.dropped = false;
  return std::nullopt;
}

std::optional<Refusal> parse_fields(std::string_view block, const Limits& limits,
                                    std::vector<HeaderField>& out) {
  while (!block.empty()) {
    const auto end = block.find("\r\n");
    if (end == std::string_view::npos) return Refusal::line_end;
    if (out.size() == limits.field_count) return Refusal::too_many_fields;
    HeaderField field;
    if (const auto refusal = parse_field(block.substr(0, end), field)) return refusal;
    out.push_back(field);
    block.remove_prefix(end + 2);
  }
  return std::nullopt;
}

}  // namespace heddle::http
