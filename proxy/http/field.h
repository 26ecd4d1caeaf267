#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "proxy/http/limits.h"
#include "proxy/http/refusal.h"

namespace heddle::http {

// The fields that a proxy acts on; everything else is `other` and passes.
enum class FieldId : std::uint8_t {
  other,
  connection,
  content_length,
  expect,
  host,
  hop_by_hop,  // keep-alive, proxy-connection, proxy-authenticate, te, http2-settings ...
  request_id,  // x-request-id
  transfer_encoding,
  upgrade,
  via,
  forwarded_for,
  forwarded_host,
  forwarded_port,
  forwarded_proto,
};

struct HeaderField {
  std::string_view name;   // as it came
  std::string_view value;  // without white space at its ends
  FieldId id = FieldId::other;
  bool dropped = false;  // named by Connection: not forwarded
};

FieldId field_id(std::string_view name);

// Parses one line without its CRLF (RFC 9112, section 5).
std::optional<Refusal> parse_field(std::string_view line, HeaderField& out);

// Parses lines, each with its CRLF, until `block` ends; appends to `out`.
std::optional<Refusal> parse_fields(std::string_view block, const Limits& limits,
                                    std::vector<HeaderField>& out);

}  // namespace heddle::http
