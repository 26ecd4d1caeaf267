#include <algorithm>
#include <charconv>

#include "proxy/config/sections.h"
#include "proxy/http/syntax.h"
#include "proxy/route/rewriter.h"

namespace heddle::config {
namespace {

using yaml::MapReader;
using yaml::YamlNode;

constexpr std::size_t kMostBody = 64 * 1024;
constexpr std::size_t kMostPart = 1024;
constexpr auto kActions = std::to_array<std::string_view>({"forward", "redirect", "respond"});

snapshot::Action read_forward(Reading& reading, const YamlNode& node, const std::string& path) {
  snapshot::Forward out;
  const auto refer = [&](yaml::Mark mark, const std::string& where, const std::string& name) {
    reading.references.push_back({mark, where, name});
  };
  if (node.kind == YamlNode::Kind::scalar) {
    refer(node.mark, path, node.scalar);
    out.groups.push_back({node.scalar, 1});
    return out;
  }
  const MapReader map(node, path, keys::kForward, reading.diagnostics);
  std::uint64_t sum = 0;
  if (const YamlNode* groups = map.find("groups"); groups && groups->kind == YamlNode::Kind::map) {
    for (const YamlNode::Entry& entry : groups->entries) {
      const std::string where = map.path_of("groups") + "." + entry.key.substr(0, 63);
      refer(entry.mark, where, entry.key);
      std::int64_t weight = -1;
      const std::string& text = entry.value.scalar;
      const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), weight);
      if (ec != std::errc() || end != text.data() + text.size() || weight < 0 ||
          weight > kMostWeight) {
        reading.diagnostics.error(entry.value.mark, where, "its weight must be 0 to 1000000");
        continue;
      }
      sum += static_cast<std::uint64_t>(weight);
      out.groups.push_back({entry.key, static_cast<std::uint32_t>(weight)});
    }
  }
  if (const YamlNode* sticky = map.find("sticky")) {
    out.sticky = read_sticky(reading, *sticky, map.path_of("sticky"));
  }
  if (sum == 0) map.error("groups", "must be a map of group names and weights, one above 0");
  return out;
}

snapshot::Action read_respond(Reading& reading, const YamlNode& node, const std::string& path) {
  snapshot::FixedResponse out;
  const MapReader map(node, path, keys::kRespond, reading.diagnostics);
  const auto status = map.integer("status", {200, 599});
  if (!map.find("status")) map.error("status", "is missing");
  out.status = static_cast<int>(status.value_or(200));
  out.content_type = map.find("type") ? plain_text(map, "type", 255) : "text/plain";
  out.body = map.text("body").value_or("");
  if (out.body.size() > kMostBody) map.error("body", "must be at most 64 KiB");
  return out;
}

snapshot::Action read_redirect(Reading& reading, const YamlNode& node, const std::string& path) {
  snapshot::Redirect out;
  const snapshot::Redirect unchanged;
  const MapReader map(node, path, keys::kRedirect, reading.diagnostics);
  out.status = static_cast<int>(map.integer("status", {300, 399}).value_or(302));
  if (out.status != 301 && out.status != 302 && out.status != 303 && out.status != 307 &&
      out.status != 308) {
    map.error("status", "must be 301, 302, 303, 307 or 308");
  }
  const auto part = [&](std::string_view key, std::string& to) {
    if (!map.find(key)) return;
    to = plain_text(map, key, kMostPart);
    if (to.find(' ') != std::string::npos) map.error(key, "must not have spaces");
  };
  part("location", out.location);
  part("protocol", out.protocol);
  part("host", out.host);
  part("port", out.port);
  part("path", out.path);
  part("query", out.query);
  if (out.protocol != "http" && out.protocol != "https" && out.protocol != unchanged.protocol) {
    map.error("protocol", "must be http, https or \"#{protocol}\"");
  }
  if (!out.path.starts_with('/')) map.error("path", "must begin with /");
  const bool parts = out.protocol != unchanged.protocol || out.host != unchanged.host ||
                     out.port != unchanged.port || out.path != unchanged.path ||
                     out.query != unchanged.query;
  if (out.location.empty() && !parts) {
    reading.diagnostics.error(node.mark, path,
                              "leads back to where it came from: name another protocol, host, "
                              "port, path or query, or a location");
  } else if (!out.location.empty() && parts) {
    map.error("location", "is the whole already: leave the other parts out");
  }
  return out;
}

std::uint32_t share_of(const MapReader& map) {
  return map.find("share") ? read_share(map, "share").value_or(0) : 1'000'000;
}

snapshot::Fault read_fault(Reading& reading, const YamlNode& node, const std::string& path) {
  snapshot::Fault out;
  const MapReader map(node, path, keys::kFault, reading.diagnostics);
  if (const YamlNode* delay = map.find("delay")) {
    const MapReader one(*delay, map.path_of("delay"), keys::kFaultDelay, reading.diagnostics);
    const auto time = one.duration("for");
    if (!time || *time > std::chrono::minutes(5)) {
      one.error("for", "must be how long, at most 5m");
    } else {
      out.delay = *time;
    }
    out.delay_ppm = share_of(one);
  }
  if (const YamlNode* abort = map.find("abort")) {
    const MapReader one(*abort, map.path_of("abort"), keys::kFaultAbort, reading.diagnostics);
    out.abort_status = static_cast<int>(one.integer("status", {400, 599}).value_or(503));
    out.abort_ppm = share_of(one);
  }
  return out;
}

// `100/s`, `90/m`, `10/h`.
std::optional<double> parse_rate(std::string_view text) {
  double number = 0;
  const auto [end, ec] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (ec != std::errc() || !(number > 0)) return std::nullopt;
  if (unit == "/m") number /= 60;
  if (unit == "/h") number /= 3600;
  if (unit != "/s" && unit != "/m" && unit != "/h") return std::nullopt;
  if (number > 1e6 || number < 1.0 / 3600) return std::nullopt;
  return number;
}

std::optional<snapshot::RateLimit> read_rate_limit(Reading& reading, const YamlNode& node,
                                                   const std::string& path) {
  snapshot::RateLimit out;
  const MapReader map(node, path, keys::kRateLimit, reading.diagnostics);
  const auto rate = parse_rate(map.text("rate").value_or(""));
  if (!rate) {
    map.error("rate", "must be a rate such as 100/s, 90/m or 10/h, from 1/h to 1000000/s");
    return std::nullopt;
  }
  out.per_second = *rate;
  out.burst = static_cast<std::uint32_t>(map.integer("burst", {1, 1'000'000}).value_or(1));
  const auto by = map.text("by").value_or("rule");
  if (by == "source") {
    out.by = snapshot::RateLimit::By::source;
  } else if (by != "rule") {
    map.error("by", "must be rule (all requests together) or source (each client's address)");
  }
  return out;
}

// A text of a path: `with`, `prefix`.
std::string target_text(const MapReader& map, std::string_view key) {
  auto text = plain_text(map, key, 512);
  if (!text.empty() && (!http::is_target_text(text) || text.find('?') != std::string::npos)) {
    map.error(key, "must be what a path may have: no spaces, ?, # or bytes above ASCII");
  }
  return text;
}

snapshot::Rewrite read_rewrite(Reading& reading, const YamlNode& node, const std::string& path) {
  snapshot::Rewrite out;
  const MapReader map(node, path, keys::kRewrite, reading.diagnostics);
  if (map.find("host")) {
    out.host = plain_text(map, "host", 255);
    if (!http::is_authority(out.host)) map.error("host", "must be a host, with a port or without");
  }
  const YamlNode* inner = map.find("path");
  if (!inner) return out;
  const MapReader one(*inner, map.path_of("path"), keys::kRewritePath, reading.diagnostics);
  if (one.find("prefix")) out.path_prefix = target_text(one, "prefix");
  out.path_regex = one.text("regex").value_or("");
  out.path_with = target_text(one, "with");
  if (!one.find("with")) one.error("with", "is missing");
  if (out.path_prefix.empty() == out.path_regex.empty()) {
    reading.diagnostics.error(inner->mark, one.path_of("prefix"), "name either prefix or regex");
  } else if (const auto made = route::Rewriter::make(out); !made) {
    one.error("regex", made.error().text());
  }
  return out;
}

enum class Way { request, response };

std::vector<snapshot::HeaderEdit> read_edits(Reading& reading, const YamlNode& node,
                                             const std::string& path, Way way) {
  using How = snapshot::HeaderEdit::How;
  std::vector<snapshot::HeaderEdit> out;
  const MapReader map(node, path, keys::kHeaderEdits, reading.diagnostics);
  const auto add = [&](std::string_view key, How how, const std::string& name,
                       const std::string& value) {
    if (!http::is_token(name) || !route::is_editable(name)) {
      map.error(key, "\"" + name.substr(0, 40) +
                         "\" cannot be edited: it is no name of a header, "
                         "or says how a message is framed or where it goes");
    } else if (!http::is_field_value(value) || value.size() > 4096) {
      map.error(key, "the value of \"" + name + "\" has control characters or is too long");
    } else if (way == Way::request && how != How::remove && route::is_forwarding(name)) {
      map.error(key, "\"" + name + "\" is set by the proxy itself");
    } else {
      out.push_back({how, name, value});
    }
  };
  for (const std::string& name : map.texts("remove")) add("remove", How::remove, name, "");
  for (const auto& [name, value] : map.text_map("set")) add("set", How::set, name, value);
  for (const auto& [name, value] : map.text_map("add")) add("add", How::add, name, value);
  return out;
}

}  // namespace

std::optional<snapshot::Sticky> read_sticky(Reading& reading, const YamlNode& node,
                                            const std::string& path) {
  snapshot::Sticky out;
  const MapReader map(node, path, keys::kSticky, reading.diagnostics);
  out.cookie = map.text("cookie").value_or("");
  if (!http::is_token(out.cookie) || out.cookie.size() > 64) {
    map.error("cookie", "must be a cookie's name, at most 64 bytes");
    return std::nullopt;
  }
  if (const auto lifetime = map.duration("for")) {
    out.lifetime = std::chrono::ceil<std::chrono::seconds>(*lifetime);
  }
  return out;
}

std::optional<std::uint32_t> read_share(const MapReader& map, std::string_view key) {
  const auto text = map.text(key);
  if (!text) return std::nullopt;
  double percent = -1;
  const auto [end, ec] =
      std::from_chars(text->data(), text->data() + text->size(), percent, std::chars_format::fixed);
  const bool whole = ec == std::errc() && std::string_view(end, text->data() + text->size()) == "%";
  if (whole && percent >= 0 && percent <= 100) {
    return static_cast<std::uint32_t>(percent * 10'000 + 0.5);
  }
  map.error(key, "must be a share such as 5% or 0.1%, not \"" + text->substr(0, 40) + "\"");
  return std::nullopt;
}

std::optional<snapshot::Action> read_action(Reading& reading, const MapReader& map) {
  std::optional<snapshot::Action> out;
  int count = 0;
  for (const std::string_view key : kActions) {
    const YamlNode* node = map.find(key);
    if (!node) continue;
    if (++count > 1) map.error(key, "a rule has one of forward, redirect and respond");
    const std::string path = map.path_of(key);
    if (key == "forward") out = read_forward(reading, *node, path);
    if (key == "redirect") out = read_redirect(reading, *node, path);
    if (key == "respond") out = read_respond(reading, *node, path);
  }
  if (count == 0)
    map.error("forward", "is missing: a rule has one of forward, redirect and respond");
  return out;
}

snapshot::Treatment read_treatment(Reading& reading, const MapReader& map) {
  snapshot::Treatment out;
  const bool forwards = map.find("forward") != nullptr;
  const auto section = [&](std::string_view key) -> const YamlNode* {
    const YamlNode* node = map.find(key);
    const bool for_targets = key == "rewrite" || key == "request-headers" || key == "timeout";
    if (node && for_targets && !forwards) map.error(key, "acts on forwarded requests alone");
    return node;
  };
  if (const YamlNode* node = section("rewrite")) {
    out.rewrite = read_rewrite(reading, *node, map.path_of("rewrite"));
  }
  if (const YamlNode* node = section("request-headers")) {
    out.request_headers = read_edits(reading, *node, map.path_of("request-headers"), Way::request);
  }
  if (const YamlNode* node = section("response-headers")) {
    out.response_headers =
        read_edits(reading, *node, map.path_of("response-headers"), Way::response);
  }
  if (const YamlNode* node = section("rate-limit")) {
    out.rate_limit = read_rate_limit(reading, *node, map.path_of("rate-limit"));
  }
  if (const YamlNode* node = section("fault")) {
    out.fault = read_fault(reading, *node, map.path_of("fault"));
  }
  if (section("timeout")) {
    out.timeout = map.duration("timeout");
    if (out.timeout && *out.timeout == std::chrono::milliseconds(0)) {
      map.error("timeout", "must be more than 0");
    }
  }
  return out;
}

}  // namespace heddle::config
