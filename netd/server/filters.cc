#include "netd/server/filters.h"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <functional>

#include "netd/api/field.h"

namespace heddle::server {
namespace {

constexpr std::size_t kMaxFilters = 256;

std::unexpected<Error> unknown(const api::v1::Filter& filter, std::string_view known) {
  return fail(Errc::invalid,
              "filter '" + filter.key() + "' is unknown; choose " + std::string(known));
}

Result<> check(const Filters& filters) {
  TRY_DO(api::check_count("filters", static_cast<std::size_t>(filters.size()), kMaxFilters));
  for (const auto& filter : filters) {
    TRY_DO(api::line_field("filter", filter.key(), api::kMaxHostName));
    TRY_DO(api::line_field("filter " + filter.key(), filter.value(), api::kMaxPath));
    if (filter.value().empty()) {
      return fail(Errc::invalid,
                  "filter '" + filter.key() + "' needs a value: " + filter.key() + "=VALUE");
    }
  }
  return {};
}

Result<bool> truth(const api::v1::Filter& filter) {
  const auto& text = filter.value();
  if (text == "true" || text == "1") return true;
  if (text == "false" || text == "0") return false;
  return fail(Errc::invalid, "filter " + filter.key() + "='" + text + "' must be true or false");
}

bool has_label(const model::Labels& labels, const std::string& wanted) {
  const auto equals = wanted.find('=');
  const auto it = labels.find(wanted.substr(0, equals));
  if (it == labels.end()) return false;
  return equals == std::string::npos || it->second == wanted.substr(equals + 1);
}

bool in_use(const model::View& view, const model::Network& network) {
  const auto on_it = [&](const auto& entry) { return entry.second.network == network.id; };
  return std::ranges::any_of(view.endpoints, on_it) ||
         std::ranges::any_of(view.load_balancers, on_it) ||
         std::ranges::any_of(view.networks, [&](const auto& entry) {
           return network.config_only && entry.second.config_from == network.name;
         });
}

bool any(const std::set<std::string>& wanted, const std::function<bool(const std::string&)>& ok) {
  return wanted.empty() || std::ranges::any_of(wanted, ok);
}

// `1h30m`: numbers with ms, s, m, h or d. Absent: no such text.
std::optional<std::chrono::seconds> parse_age(std::string_view text) {
  std::int64_t total_ms = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const auto unit = text.substr(0, text.find_first_of("0123456789"));
    text.remove_prefix(unit.size());
    const std::int64_t ms = unit == "ms"  ? 1
                            : unit == "s" ? 1000
                            : unit == "m" ? 60'000
                            : unit == "h" ? 3'600'000
                            : unit == "d" ? 86'400'000
                                          : 0;
    if (ms == 0) return std::nullopt;
    total_ms += number * ms;
    if (total_ms > 1000 * std::int64_t{253402300800}) return std::nullopt;
  }
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::milliseconds(total_ms));
}

// 2026-01-02, 2026-01-02T03:04:05 with or without Z (UTC either way), or +01:00.
std::optional<model::Time> parse_date(const std::string& text) {
  std::tm parts{};
  const char* rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  const bool whole = rest != nullptr;
  if (!whole) {
    parts = {};
    rest = ::strptime(text.c_str(), "%Y-%m-%d", &parts);
  }
  if (rest == nullptr) return std::nullopt;
  std::chrono::seconds ahead{0};
  if (const std::string_view zone(rest);
      whole && zone.size() == 6 && zone[3] == ':' && (zone[0] == '+' || zone[0] == '-')) {
    int hours = 0;
    int minutes = 0;
    const auto read = [](std::string_view digits, int& to) {
      const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), to);
      return result.ec == std::errc() && result.ptr == digits.data() + digits.size() && to >= 0;
    };
    if (!read(zone.substr(1, 2), hours) || !read(zone.substr(4), minutes) || hours > 23 ||
        minutes > 59) {
      return std::nullopt;
    }
    ahead = std::chrono::hours(hours) + std::chrono::minutes(minutes);
    if (zone[0] == '-') ahead = -ahead;
  } else if (!zone.empty() && (!whole || zone != "Z")) {
    return std::nullopt;
  }
  return model::Time(std::chrono::seconds(::timegm(&parts))) - ahead;
}

Result<model::Time> parse_until(const std::string& text, model::Time now) {
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error == std::errc() && end == text.data() + text.size()) {
    return api::time_field("filter until", seconds);
  }
  if (const auto age = parse_age(text)) return now - *age;
  if (const auto date = parse_date(text)) return *date;
  return fail(Errc::invalid, "filter until='" + text +
                                 "' must be a time (2026-01-02T03:04:05Z or seconds since 1970) or "
                                 "an age (24h, 1h30m)");
}

}  // namespace

Result<NetworkFilter> network_filter(const Filters& filters) {
  TRY_DO(check(filters));
  NetworkFilter to;
  for (const auto& filter : filters) {
    if (filter.key() == "driver") {
      to.drivers.insert(filter.value());
    } else if (filter.key() == "id") {
      to.ids.insert(filter.value());
    } else if (filter.key() == "name") {
      to.names.insert(filter.value());
    } else if (filter.key() == "label") {
      to.labels.push_back(filter.value());
    } else if (filter.key() == "scope") {
      TRY(const auto scope, model::parse_scope(filter.value()).during("filter scope"));
      to.scopes.insert(scope);
    } else if (filter.key() == "dangling") {
      TRY(const bool dangling, truth(filter));
      if (to.dangling.value_or(dangling) != dangling) {
        return fail(Errc::invalid, "filter dangling is asked to be both true and false");
      }
      to.dangling = dangling;
    } else {
      return unknown(filter, "driver, id, label, name, scope or dangling");
    }
  }
  return to;
}

bool fits(const NetworkFilter& filter, const model::View& view, const model::Network& network) {
  if (!filter.drivers.empty() && !filter.drivers.contains(network.driver)) return false;
  if (!filter.scopes.empty() && !filter.scopes.contains(network.scope)) return false;
  if (!any(filter.ids, [&](const auto& id) { return network.id.starts_with(id); })) return false;
  if (!any(filter.names, [&](const auto& name) { return network.name.contains(name); })) {
    return false;
  }
  if (!std::ranges::all_of(filter.labels,
                           [&](const auto& label) { return has_label(network.labels, label); })) {
    return false;
  }
  return !filter.dangling || *filter.dangling != in_use(view, network);
}

Result<control::PruneSpec> prune_spec(const Filters& filters, model::Time now) {
  TRY_DO(check(filters));
  control::PruneSpec spec;
  for (const auto& filter : filters) {
    if (filter.key() == "label") {
      spec.labels.push_back(filter.value());
    } else if (filter.key() == "label!") {
      spec.without_labels.push_back(filter.value());
    } else if (filter.key() == "until") {
      if (spec.until) return fail(Errc::invalid, "filter until is given twice");
      TRY(spec.until, parse_until(filter.value(), now));
    } else {
      return unknown(filter, "until, label or label!");
    }
  }
  return spec;
}

}  // namespace heddle::server
