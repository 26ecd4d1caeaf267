// What keeps a group up: limits, outliers, retries, checks.
#include <algorithm>
#include <charconv>

#include "proxy/config/sections.h"
#include "proxy/http/syntax.h"

namespace heddle::config {
namespace {

using std::chrono::milliseconds;
using yaml::MapReader;
using yaml::YamlNode;

constexpr auto kRetryWords = std::to_array<std::string_view>({"gateway-error", "5xx", "timeout"});

std::optional<milliseconds> read_time(const MapReader& map, std::string_view key,
                                      milliseconds least) {
  const auto time = map.duration(key);
  if (!time || *time >= least) return time;
  map.error(key, "must be at least " + std::to_string(least.count()) + "ms");
  return std::nullopt;
}

snapshot::Outlier read_outlier(Reading& reading, const YamlNode& node, const std::string& path) {
  snapshot::Outlier out;
  const MapReader map(node, path, keys::kOutlier, reading.diagnostics);
  out.failures =
      static_cast<std::uint32_t>(map.integer("failures", {1, 1'000'000}).value_or(out.failures));
  out.base = read_time(map, "base", milliseconds(1)).value_or(out.base);
  out.most = read_time(map, "most", milliseconds(1)).value_or(std::max(out.base, out.most));
  if (out.most < out.base) map.error("most", "must not be less than base");
  if (map.find("most-share")) out.most_share = read_share(map, "most-share").value_or(0) / 1e6;
  return out;
}

// `gateway-error`, `5xx`, `timeout` or a status.
void read_retried(const MapReader& map, const std::string& word, snapshot::Retry& retry) {
  const auto add = [&](int low, int high) {
    for (int status = low; status <= high; ++status) retry.statuses.push_back(status);
  };
  int status = 0;
  const auto [end, ec] = std::from_chars(word.data(), word.data() + word.size(), status);
  if (ec == std::errc() && end == word.data() + word.size() && status >= 400 && status <= 599) {
    add(status, status);
  } else if (word == "gateway-error") {
    add(502, 504);
  } else if (word == "5xx") {
    add(500, 599);
  } else if (word == "timeout") {
    retry.on_timeout = true;
  } else {
    map.error("on", "\"" + word.substr(0, 40) + "\" is no status from 400 to 599 nor a reason" +
                        yaml::suggestion(word, kRetryWords));
  }
}

snapshot::Retry read_retry(Reading& reading, const YamlNode& node, const std::string& path) {
  snapshot::Retry out;
  const MapReader map(node, path, keys::kRetry, reading.diagnostics);
  out.attempts = static_cast<int>(map.integer("attempts", {1, 10}).value_or(out.attempts));
  if (map.find("budget")) out.budget = read_share(map, "budget").value_or(0) / 1e6;
  for (const std::string& word : map.texts("on")) read_retried(map, word, out);
  out.per_try = read_time(map, "per-try-timeout", milliseconds(1));
  return out;
}

// `200`, `200-399`.
void read_status(const MapReader& map, snapshot::HealthCheck& check) {
  const auto text = map.text("status");
  if (!text) return;
  const char* const end = text->data() + text->size();
  auto [stop, ec] = std::from_chars(text->data(), end, check.status_low);
  check.status_high = check.status_low;
  if (ec == std::errc() && stop != end && *stop == '-') {
    const auto second = std::from_chars(stop + 1, end, check.status_high);
    stop = second.ptr;
    ec = second.ec;
  }
  if (ec != std::errc() || stop != end || check.status_low < 100 || check.status_high > 599 ||
      check.status_low > check.status_high) {
    map.error("status", "must be a status or a range, such as 200 or 200-399");
  }
}

snapshot::HealthCheck read_check(Reading& reading, const YamlNode& node, const std::string& path,
                                 snapshot::Protocol protocol) {
  snapshot::HealthCheck out;
  const MapReader map(node, path, keys::kHealthCheck, reading.diagnostics);
  const bool tcp = protocol == snapshot::Protocol::tcp;
  const std::string kind = map.text("kind").value_or(tcp ? "tcp" : "http");
  out.kind = kind == "tcp" ? snapshot::HealthCheck::Kind::tcp : snapshot::HealthCheck::Kind::http;
  if (kind != "tcp" && kind != "http") map.error("kind", "must be http or tcp");
  for (const std::string_view key : {"path", "host", "status"}) {
    if (map.find(key) && kind == "tcp") map.error(key, "of a check by tcp there is none");
  }
  if (map.find("path")) out.path = plain_text(map, "path", 1024);
  if (!out.path.starts_with('/') || !http::is_target_text(out.path)) {
    map.error("path", "must be a path, such as /healthz");
  }
  if (map.find("host")) out.host = plain_text(map, "host", 255);
  if (!out.host.empty() && !http::is_authority(out.host)) map.error("host", "must be a host");
  read_status(map, out);
  out.port = static_cast<std::uint16_t>(map.integer("port", {1, 65535}).value_or(0));
  out.interval = read_time(map, "interval", milliseconds(100)).value_or(out.interval);
  out.timeout = read_time(map, "timeout", milliseconds(10)).value_or(out.timeout);
  out.healthy = static_cast<std::uint32_t>(map.integer("healthy", {1, 100}).value_or(2));
  out.unhealthy = static_cast<std::uint32_t>(map.integer("unhealthy", {1, 100}).value_or(3));
  return out;
}

}  // namespace

snapshot::Limits read_limits(Reading& reading, const YamlNode& node, const std::string& path) {
  snapshot::Limits out;
  const MapReader map(node, path, keys::kLimits, reading.diagnostics);
  const auto read = [&](std::string_view key, std::uint32_t& to) {
    const auto number = map.integer(key, {1, 10'000'000});
    if (number) to = static_cast<std::uint32_t>(*number);
  };
  read("connections", out.connections);
  read("pending", out.pending);
  read("requests", out.requests);
  read("retries", out.retries);
  return out;
}

void read_resilience(Reading& reading, const MapReader& map, snapshot::TargetGroup& group) {
  if (const YamlNode* node = map.find("outlier")) {
    group.outlier = read_outlier(reading, *node, map.path_of("outlier"));
  }
  if (const YamlNode* node = map.find("retry")) {
    group.retry = read_retry(reading, *node, map.path_of("retry"));
    if (group.protocol == snapshot::Protocol::tcp) {
      map.error("retry", "acts on requests; tcp connections are tried three times");
    }
  }
  if (const YamlNode* node = map.find("health-check")) {
    group.health_check = read_check(reading, *node, map.path_of("health-check"), group.protocol);
  }
}

}  // namespace heddle::config
