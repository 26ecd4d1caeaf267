#include "proxy/http2/field_block.h"

#include <charconv>

#include "proxy/http/syntax.h"

namespace heddle::http2 {
namespace {

constexpr std::size_t kFieldOverhead = 32;  // RFC 7541, section 4.1

void append_forwarded(FieldBlock& out, const http::RequestHead& head,
                      const http::Forwarded& forwarded) {
  std::string chain;
  for (const http::HeaderField& field : head.fields) {
    if (field.id == http::FieldId::forwarded_for && !field.value.empty()) {
      chain.append(field.value).append(", ");
    }
  }
  chain.append(forwarded.client);
  out.add("x-forwarded-for", chain);
  out.add("x-forwarded-proto", forwarded.proto);
  out.add("x-forwarded-port", std::to_string(forwarded.port));
  if (!head.host.empty()) out.add("x-forwarded-host", head.host);
}

void add_length(FieldBlock& out, std::uint64_t length) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, length).ptr;
  out.add("content-length", {digits, static_cast<std::size_t>(end - digits)});
}

void add_status(FieldBlock& out, int status) {
  out.add(":status", std::to_string(status));
}

bool is_lower_token(std::string_view name) {
  if (!http::is_token(name)) return false;
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z') return false;
  }
  return true;
}

}  // namespace

void FieldBlock::clear() {
  bytes_.clear();
  fields_.clear();
}

void FieldBlock::add(std::string_view name, std::string_view value, Index index) {
  fields_.push_back({static_cast<std::uint32_t>(bytes_.size()),
                     static_cast<std::uint32_t>(name.size()),
                     static_cast<std::uint32_t>(value.size()), index});
  for (const char c : name) bytes_.push_back(http::to_lower(c));
  bytes_.append(value);
}

FieldBlock::Field FieldBlock::operator[](std::size_t i) const {
  const Slice& slice = fields_[i];
  const std::string_view all = bytes_;
  return {all.substr(slice.name_at, slice.name_size),
          all.substr(slice.name_at + slice.name_size, slice.value_size), slice.index};
}

void append_request(FieldBlock& out, const http::RequestHead& head, const http::RequestEdit& edit,
                    std::string_view scheme) {
  out.add(":method", head.method);
  out.add(":scheme", scheme);
  const std::string_view host = head.host.empty() ? edit.host : head.host;
  out.add(":authority", edit.rewritten_host.empty() ? host : edit.rewritten_host);
  if (head.path_is_root) {
    std::string path = "/";
    out.add(":path", path.append(head.target));
  } else {
    out.add(":path", head.target);
  }
  bool has_id = false;
  for (const http::HeaderField& field : head.fields) {
    if (field.id == http::FieldId::request_id) has_id = true;
    const bool expect_ignored = field.id == http::FieldId::expect && !head.expects_continue;
    const bool replaced = edit.forwarded && http::is_forwarded(field.id);
    if (field.id == http::FieldId::host || http::belongs_to_connection(field) || expect_ignored ||
        replaced) {
      continue;
    }
    const bool varies = field.id == http::FieldId::request_id;
    out.add(field.name, field.value, varies ? FieldBlock::Index::no : FieldBlock::Index::yes);
  }
  if (head.takes_trailers) out.add("te", "trailers");
  if (!has_id && !edit.request_id.empty()) {
    out.add("x-request-id", edit.request_id, FieldBlock::Index::no);
  }
  if (edit.forwarded) append_forwarded(out, head, *edit.forwarded);
  const bool has_length = head.find(http::FieldId::content_length) != nullptr;
  if (has_length && head.body.kind != http::BodyKind::chunked) add_length(out, head.body.length);
}

void append_response(FieldBlock& out, const http::ResponseHead& head) {
  add_status(out, head.status);
  for (const http::HeaderField& field : head.fields) {
    if (!http::belongs_to_connection(field)) out.add(field.name, field.value);
  }
  if (head.status < 200 || head.status == 204) return;
  if (head.body.kind == http::BodyKind::length) {
    add_length(out, head.body.length);
  } else if (head.body.kind == http::BodyKind::none) {
    // To HEAD and with 304 it tells what a GET would have had.
    const http::HeaderField* length = head.find(http::FieldId::content_length);
    if (length) add_length(out, http::parse_decimal(length->value).value_or(0));
  }
}

void append_local(FieldBlock& out, const http::LocalResponse& response) {
  add_status(out, response.status);
  if (!response.location.empty()) out.add("location", response.location);
  if (!response.content_type.empty() && !response.body.empty()) {
    out.add("content-type", response.content_type);
  }
  for (const http::HeaderField& field : response.fields) out.add(field.name, field.value);
  if (response.status != 204 && response.status != 304) add_length(out, response.body.size());
}

void append_trailers(FieldBlock& out, std::string_view lines) {
  while (!lines.empty()) {
    const auto end = lines.find("\r\n");
    const auto colon = lines.find(':');
    if (end == std::string_view::npos || colon > end) return;
    out.add(lines.substr(0, colon), http::trim(lines.substr(colon + 1, end - colon - 1)));
    lines.remove_prefix(end + 2);
  }
}

void HeadText::clear() {
  *this = HeadText();
}

void HeadText::add(std::string_view name, std::string_view value, Keep keep) {
  list_bytes_ += name.size() + value.size() + kFieldOverhead;
  ++count_;
  if (keep == Keep::no) return;
  if (name.starts_with(':')) {
    add_pseudo(name, value);
    return;
  }
  if (!is_lower_token(name) || !http::is_field_value(value) || http::trim(value) != value) {
    valid_ = false;
    return;
  }
  if (name == "host") {
    if (has_host_ && host_ != value) valid_ = false;
    has_host_ = true;
    host_ = value;
    return;
  }
  if (name == "cookie") {
    if (!cookie_.empty()) cookie_.append("; ");
    cookie_.append(value);
    return;
  }
  if (name == "connection" || name == "proxy-connection" || name == "keep-alive" ||
      name == "transfer-encoding" || name == "upgrade" || (name == "te" && value != "trailers")) {
    valid_ = false;
    return;
  }
  if (name == "content-length") has_length_ = true;
  fields_.append(name).append(": ").append(value).append("\r\n");
}

void HeadText::add_pseudo(std::string_view name, std::string_view value) {
  std::string* slot = nullptr;
  bool good = false;
  if (name == ":method") {
    slot = &method_;
    good = http::is_token(value);
  } else if (name == ":path") {
    slot = &path_;
    good = !value.empty() && http::is_target_text(value);
  } else if (name == ":authority") {
    slot = &authority_;
    good = http::is_authority(value);
  } else if (name == ":scheme") {
    slot = &scheme_;
    good = http::is_token(value);
  } else if (name == ":status") {
    slot = &status_;
    good = value.size() == 3 && http::parse_decimal(value).has_value();
  } else if (name == ":protocol") {
    slot = &protocol_;
    good = http::is_token(value);
  }
  if (!good || !slot->empty()) {
    valid_ = false;
    return;
  }
  *slot = value;
}

std::string HeadText::request(bool ended) {
  std::string out;
  out.reserve(64 + method_.size() + path_.size() + authority_.size() + cookie_.size() +
              fields_.size());
  // CONNECT has an authority instead of a path.
  const std::string& target = method_ == "CONNECT" && path_.empty() ? authority_ : path_;
  out.append(method_).append(" ").append(target).append(" HTTP/1.1\r\n");
  const std::string& host = authority_.empty() ? host_ : authority_;
  if (has_host_ || !authority_.empty()) out.append("host: ").append(host).append("\r\n");
  // Two that differ are left for the HTTP/1 parser to refuse.
  if (has_host_ && !authority_.empty() && !http::iequals(host_, authority_)) {
    out.append("host: ").append(host_).append("\r\n");
  }
  out.append(fields_);
  if (!cookie_.empty()) out.append("cookie: ").append(cookie_).append("\r\n");
  if (!ended && !has_length_) out.append("transfer-encoding: chunked\r\n");
  out.append("\r\n");
  return out;
}

std::string HeadText::response() {
  std::string out;
  out.reserve(32 + cookie_.size() + fields_.size());
  out.append("HTTP/1.1 ").append(status_).append(" \r\n").append(fields_);
  if (has_host_) out.append("host: ").append(host_).append("\r\n");
  if (!cookie_.empty()) out.append("cookie: ").append(cookie_).append("\r\n");
  out.append("\r\n");
  return out;
}

}  // namespace heddle::http2
