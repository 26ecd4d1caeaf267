#include "proxy/telemetry/access_format.h"

#include <charconv>
#include <cstdio>
#include <ctime>

#include "common/base/nearest.h"

namespace heddle::telemetry {
namespace {

// Bytes outside printable ASCII are escaped one by one: what clients send need not be UTF-8.
void append_string(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const unsigned char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c < ' ' || c >= 0x7f) {
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
    } else {
      out += static_cast<char>(c);
    }
  }
  out += '"';
}

void append_key(std::string& out, std::string_view key) {
  out += out.back() == '{' ? "\"" : ",\"";
  out.append(key).append("\":");
}

void append(std::string& out, std::string_view key, std::string_view text) {
  if (text.empty()) return;
  append_key(out, key);
  append_string(out, text);
}

void append(std::string& out, std::string_view key, std::uint64_t number) {
  append_key(out, key);
  out += std::to_string(number);
}

std::string format_time(std::chrono::system_clock::time_point at) {
  const auto since = at.time_since_epoch();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since);
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(since - seconds);
  const std::time_t whole = seconds.count();
  std::tm parts{};
  ::gmtime_r(&whole, &parts);
  char text[40];
  const std::size_t n = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + n, sizeof text - n, ".%03dZ", static_cast<int>(millis.count()));
  return text;
}

std::string milliseconds_of(const AccessRecord& record) {
  char digits[32];
  const double ms = std::chrono::duration<double, std::milli>(record.duration).count();
  const auto end = std::to_chars(digits, digits + sizeof digits, ms, std::chars_format::fixed, 3);
  return {digits, end.ptr};
}

struct NamedField {
  std::string_view name;
  std::string (*value)(const AccessRecord& record);
};
using Text = std::string;
constexpr NamedField kFields[] = {
    {"time", [](const AccessRecord& r) { return format_time(r.at); }},
    {"kind", [](const AccessRecord& r) { return Text(r.kind); }},
    {"listener", [](const AccessRecord& r) { return Text(r.listener); }},
    {"client", [](const AccessRecord& r) { return Text(r.client); }},
    {"method", [](const AccessRecord& r) { return Text(r.method); }},
    {"host", [](const AccessRecord& r) { return Text(r.host); }},
    {"path", [](const AccessRecord& r) { return Text(r.path); }},
    {"status", [](const AccessRecord& r) { return r.status ? std::to_string(r.status) : Text(); }},
    {"reason", [](const AccessRecord& r) { return Text(r.reason); }},
    {"request_id", [](const AccessRecord& r) { return Text(r.request_id); }},
    {"trace_id", [](const AccessRecord& r) { return Text(r.trace_id); }},
    {"service", [](const AccessRecord& r) { return Text(r.service); }},
    {"target", [](const AccessRecord& r) { return Text(r.target); }},
    {"attempts", [](const AccessRecord& r) { return std::to_string(r.attempts); }},
    {"bytes_in", [](const AccessRecord& r) { return std::to_string(r.bytes_in); }},
    {"bytes_out", [](const AccessRecord& r) { return std::to_string(r.bytes_out); }},
    {"duration_ms", [](const AccessRecord& r) { return milliseconds_of(r); }},
};

Result<int> field_named(std::string_view name) {
  std::vector<std::string_view> names;
  for (int i = 0; i < static_cast<int>(std::size(kFields)); ++i) {
    if (kFields[i].name == name) return i;
    names.push_back(kFields[i].name);
  }
  const auto near = nearest(name, names);
  std::string text = "%{" + std::string(name.substr(0, 40)) + "} is no field of the access log";
  if (near) text += "; did you mean %{" + std::string(*near) + "}?";
  return fail(Errc::invalid, text);
}

// What clients send must not end a line or a quoted text.
void append_escaped(std::string& out, std::string_view text) {
  if (text.empty()) out += '-';
  for (const unsigned char c : text) {
    if (c >= ' ' && c < 0x7f && c != '"' && c != '\\') {
      out += static_cast<char>(c);
      continue;
    }
    char escape[8];
    std::snprintf(escape, sizeof escape, "\\x%02x", c);
    out += escape;
  }
}

}  // namespace

std::string format_record(const AccessRecord& record) {
  std::string out = "{";
  out.reserve(400);
  append(out, "time", format_time(record.at));
  append(out, "kind", record.kind);
  append(out, "listener", record.listener);
  append(out, "client", record.client);
  append(out, "method", record.method);
  append(out, "host", record.host);
  append(out, "path", record.path);
  if (record.status) append(out, "status", static_cast<std::uint64_t>(record.status));
  append(out, "reason", record.reason);
  append(out, "request_id", record.request_id);
  append(out, "trace_id", record.trace_id);
  append(out, "service", record.service);
  append(out, "target", record.target);
  append(out, "attempts", static_cast<std::uint64_t>(record.attempts));
  append(out, "bytes_in", record.bytes_in);
  append(out, "bytes_out", record.bytes_out);
  append_key(out, "duration_ms");
  out += milliseconds_of(record) + "}\n";
  return out;
}

Result<AccessFormat> AccessFormat::parse(std::string_view text) {
  AccessFormat out;
  if (text == "json") return out;
  Part part;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < ' ' || c == 0x7f) {
      return fail(Errc::invalid, "the access log's format has a control character");
    }
    if (c != '%') {
      part.before += text[i];
    } else if (text.substr(i).starts_with("%%")) {
      part.before += '%';
      ++i;
    } else {
      const auto end = text.find('}', i);
      if (!text.substr(i).starts_with("%{") || end == std::string_view::npos) {
        return fail(Errc::invalid, "in the access log's format a % begins %{name} or %%");
      }
      TRY(part.field, field_named(text.substr(i + 2, end - i - 2)));
      out.parts_.push_back(std::exchange(part, {}));
      i = end;
    }
  }
  out.parts_.push_back(std::move(part));
  return out;
}

std::string AccessFormat::format(const AccessRecord& record) const {
  if (parts_.empty()) return format_record(record);
  std::string out;
  for (const Part& part : parts_) {
    out += part.before;
    if (part.field >= 0) append_escaped(out, kFields[part.field].value(record));
  }
  out += '\n';
  return out;
}

}  // namespace heddle::telemetry
