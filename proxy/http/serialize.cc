#include "proxy/http/serialize.h"

#include <charconv>

#include "proxy/http/syntax.h"

namespace heddle::http {
namespace {

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

void append_number(std::string& out, std::uint64_t value, int base = 10) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value, base).ptr;
  out.append(digits, end);
}

void append_length(std::string& out, std::uint64_t length) {
  out.append("Content-Length: ");
  append_number(out, length);
  out.append("\r\n");
}

void append_forwarded(std::string& out, const RequestHead& head, const Forwarded& forwarded) {
  out.append("X-Forwarded-For: ");
  for (const HeaderField& field : head.fields) {
    if (field.id == FieldId::forwarded_for && !field.value.empty()) {
      out.append(field.value).append(", ");
    }
  }
  out.append(forwarded.client).append("\r\n");
  append_field(out, "X-Forwarded-Proto", forwarded.proto);
  out.append("X-Forwarded-Port: ");
  append_number(out, forwarded.port);
  out.append("\r\n");
  if (!head.host.empty()) append_field(out, "X-Forwarded-Host", head.host);
}

void append_status(std::string& out, int status, std::string_view reason) {
  out.append("HTTP/1.1 ");
  append_number(out, static_cast<std::uint64_t>(status));
  out.append(" ").append(reason).append("\r\n");
}

void append_body_fields(std::string& out, const ResponseHead& head, const Framing& body) {
  if (body.kind == BodyKind::chunked) {
    out.append("Transfer-Encoding: chunked\r\n");
  } else if (body.kind == BodyKind::length) {
    append_length(out, body.length);
  } else if (body.kind == BodyKind::none && head.status >= 200 && head.status != 204) {
    // To HEAD and with 304 it tells what a GET would have had; else the body is empty.
    const HeaderField* length = head.find(FieldId::content_length);
    if (length) append_length(out, parse_decimal(length->value).value_or(0));
  }
}

}  // namespace

bool belongs_to_connection(const HeaderField& field) {
  switch (field.id) {
    case FieldId::connection:
    case FieldId::content_length:
    case FieldId::hop_by_hop:
    case FieldId::transfer_encoding:
    case FieldId::upgrade:
      return true;
    default:
      return field.dropped;
  }
}

bool is_forwarded(FieldId id) {
  return id == FieldId::forwarded_for || id == FieldId::forwarded_host ||
         id == FieldId::forwarded_port || id == FieldId::forwarded_proto;
}

void append_request(std::string& out, const RequestHead& head, const RequestEdit& edit) {
  out.append(head.method).append(" ");
  if (head.path_is_root) out.append("/");
  out.append(head.target).append(" HTTP/1.1\r\n");
  const std::string_view host = head.host.empty() ? edit.host : head.host;
  append_field(out, "Host", edit.rewritten_host.empty() ? host : edit.rewritten_host);
  bool has_id = false;
  bool has_length = false;
  for (const HeaderField& field : head.fields) {
    if (field.id == FieldId::request_id) has_id = true;
    if (field.id == FieldId::content_length) has_length = true;
    const bool expect_ignored = field.id == FieldId::expect && !head.expects_continue;
    const bool replaced = edit.forwarded && is_forwarded(field.id);
    if (field.id == FieldId::host || belongs_to_connection(field) || expect_ignored || replaced)
      continue;
    append_field(out, field.name, field.value);
  }
  if (!has_id && !edit.request_id.empty()) append_field(out, "X-Request-Id", edit.request_id);
  if (edit.forwarded) append_forwarded(out, head, *edit.forwarded);
  if (head.body.kind == BodyKind::chunked) {
    out.append("Transfer-Encoding: chunked\r\n");
  } else if (has_length || head.body.kind == BodyKind::length) {
    append_length(out, head.body.length);
  }
  if (!head.upgrade.empty()) {
    append_field(out, "Upgrade", head.upgrade);
    out.append("Connection: Upgrade\r\n");
  }
  out.append("\r\n");
}

void append_response(std::string& out, const ResponseHead& head, const ResponseEdit& edit) {
  append_status(out, head.status, head.reason);
  for (const HeaderField& field : head.fields) {
    if (!belongs_to_connection(field)) append_field(out, field.name, field.value);
  }
  if (head.status == 101) {
    append_field(out, "Upgrade", head.upgrade);
    out.append("Connection: Upgrade\r\n\r\n");
    return;
  }
  append_body_fields(out, head, edit.body);
  if (edit.close) {
    out.append("Connection: close\r\n");
  } else if (edit.keep_alive) {
    out.append("Connection: keep-alive\r\n");
  }
  out.append("\r\n");
}

void append_interim(std::string& out, const ResponseHead& head) {
  append_status(out, head.status, head.reason);
  for (const HeaderField& field : head.fields) {
    if (!belongs_to_connection(field)) append_field(out, field.name, field.value);
  }
  out.append("\r\n");
}

void append_chunk_size(std::string& out, std::size_t size) {
  append_number(out, size, 16);
  out.append("\r\n");
}

void append_local(std::string& out, const LocalResponse& response) {
  append_status(out, response.status, reason_phrase(response.status));
  if (!response.location.empty()) append_field(out, "Location", response.location);
  if (!response.content_type.empty() && !response.body.empty()) {
    append_field(out, "Content-Type", response.content_type);
  }
  for (const HeaderField& field : response.fields) append_field(out, field.name, field.value);
  const bool bodiless = response.status == 204 || response.status == 304;
  if (!bodiless) append_length(out, response.body.size());
  if (response.close) out.append("Connection: close\r\n");
  out.append("\r\n");
  if (!response.to_head && !bodiless) out.append(response.body);
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 417:
      return "Expectation Failed";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Status";
  }
}

}  // namespace heddle::http
