#include "proxy/http/framing.h"

#include "proxy/http/syntax.h"

namespace heddle::http {
namespace {

struct FramingFields {
  const HeaderField* length = nullptr;
  const HeaderField* encoding = nullptr;
};

std::optional<Refusal> collect(const MessageHead& head, FramingFields& out) {
  for (const HeaderField& field : head.fields) {
    if (field.id == FieldId::content_length) {
      if (out.length) return Refusal::content_length;
      out.length = &field;
    } else if (field.id == FieldId::transfer_encoding) {
      if (out.encoding) return Refusal::transfer_encoding;
      out.encoding = &field;
    }
  }
  if (out.length && out.encoding) return Refusal::length_and_encoding;
  return std::nullopt;
}

// Only `chunked` alone is served: other codings would have to be undone to be judged.
std::optional<Refusal> judge_encoding(const MessageHead& head, std::string_view value) {
  if (head.version == Version::http10) return Refusal::transfer_encoding;
  if (iequals(value, "chunked")) return std::nullopt;
  bool chunked = false;
  bool known = true;
  bool member = false;
  for_each_member(value, [&](std::string_view coding) {
    member = true;
    if (iequals(coding, "chunked")) {
      chunked = true;
    } else if (!iequals(coding, "gzip") && !iequals(coding, "deflate") &&
               !iequals(coding, "compress")) {
      known = false;
    }
  });
  if (!member || (chunked && known)) return Refusal::transfer_encoding;
  return Refusal::unknown_coding;
}

std::optional<Refusal> judge_length(std::string_view value, Framing& out) {
  const auto length = parse_decimal(value);
  if (!length) return Refusal::content_length;
  out = {*length == 0 ? BodyKind::none : BodyKind::length, *length};
  return std::nullopt;
}

bool may_be_dropped(FieldId id) {
  switch (id) {
    case FieldId::other:
    case FieldId::hop_by_hop:
    case FieldId::via:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::optional<Refusal> judge_request_framing(RequestHead& head) {
  FramingFields fields;
  if (const auto refusal = collect(head, fields)) return refusal;
  if (fields.encoding) {
    head.body = {BodyKind::chunked, 0};
    return judge_encoding(head, fields.encoding->value);
  }
  if (fields.length) return judge_length(fields.length->value, head.body);
  head.body = {};
  return std::nullopt;
}

std::optional<Refusal> judge_response_framing(bool to_head, ResponseHead& head) {
  FramingFields fields;
  if (const auto refusal = collect(head, fields)) return refusal;
  if (fields.encoding) {
    if (const auto refusal = judge_encoding(head, fields.encoding->value)) return refusal;
  }
  Framing declared{BodyKind::until_close, 0};
  if (fields.length) {
    if (const auto refusal = judge_length(fields.length->value, declared)) return refusal;
  }
  if (fields.encoding) declared = {BodyKind::chunked, 0};
  const bool interim = head.status < 200;
  const bool bodiless = interim || head.status == 204 || head.status == 304;
  if (to_head || bodiless) {
    head.body = {};
    // A 1xx or 204 that announces a body is wrong about itself: do not trust what comes next.
    head.reusable = !(interim || head.status == 204) || (!fields.encoding && declared.length == 0);
    return std::nullopt;
  }
  head.body = declared;
  head.reusable = declared.kind != BodyKind::until_close;
  return std::nullopt;
}

void judge_connection(MessageHead& head) {
  bool close = false;
  bool keep_alive = false;
  bool upgrade = false;
  for (const HeaderField& field : head.fields) {
    if (field.id != FieldId::connection) continue;
    for_each_member(field.value, [&](std::string_view option) {
      if (iequals(option, "close")) {
        close = true;
      } else if (iequals(option, "keep-alive")) {
        keep_alive = true;
      } else if (iequals(option, "upgrade")) {
        upgrade = true;
      } else {
        for (HeaderField& named : head.fields) {
          if (may_be_dropped(named.id) && iequals(named.name, option)) named.dropped = true;
        }
      }
    });
  }
  head.keep_alive = !close && (head.version == Version::http11 || keep_alive);
  if (!upgrade) return;
  for (const HeaderField& field : head.fields) {
    if (field.id != FieldId::upgrade) continue;
    bool plain_h2 = false;
    for_each_member(field.value, [&](std::string_view protocol) {
      if (iequals(protocol.substr(0, 3), "h2c") || iequals(protocol.substr(0, 4), "http")) {
        plain_h2 = true;
      }
    });
    // Two Upgrade fields, or any offer of another HTTP, and none is forwarded.
    head.upgrade = plain_h2 || !head.upgrade.empty() ? std::string_view() : field.value;
    if (plain_h2) return;
  }
}

}  // namespace heddle::http
