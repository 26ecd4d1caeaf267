#include "common/yaml/reader.h"

#include <algorithm>
#include <charconv>

#include "common/base/check.h"
#include "common/base/nearest.h"

namespace heddle::yaml {
namespace {

constexpr std::size_t kMaxNameBytes = 63;

std::string kind_name(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      return "nothing";
    case YamlNode::Kind::scalar:
      return "\"" + node.scalar.substr(0, 40) + "\"";
    case YamlNode::Kind::list:
      return "a list";
    case YamlNode::Kind::map:
      return "a map";
  }
  return "";
}

}  // namespace

std::string Diagnostics::line(Mark mark, const std::string& path, const std::string& text) const {
  std::string out = file_;
  if (mark.line) out += ":" + std::to_string(mark.line) + ":" + std::to_string(mark.column);
  out += ": ";
  if (!path.empty()) out += path + ": ";
  return out + text;
}

void Diagnostics::error(Mark mark, const std::string& path, const std::string& text) {
  if (errors_.size() == kMaxShown) {
    ++more_;
    return;
  }
  // What many nodes have from one level is wrong once.
  std::string whole = line(mark, path, text);
  if (std::ranges::find(errors_, whole) == errors_.end()) errors_.push_back(std::move(whole));
}

void Diagnostics::warn(Mark mark, const std::string& path, const std::string& text) {
  if (warnings_.size() == kMaxShown) return;
  std::string whole = line(mark, path, text);
  if (std::ranges::find(warnings_, whole) == warnings_.end()) warnings_.push_back(std::move(whole));
}

Error Diagnostics::as_error() const {
  CHECK(failed());
  std::string text;
  for (const std::string& error : errors_) text += (text.empty() ? "" : "\n") + error;
  if (more_) text += "\nand " + std::to_string(more_) + " more";
  return {Errc::invalid, text};
}

std::string suggestion(std::string_view word, std::span<const std::string_view> candidates) {
  if (const auto near = nearest(word, candidates))
    return "; did you mean \"" + std::string(*near) + "\"?";
  if (candidates.empty()) return "; there are none";
  std::string list;
  for (std::string_view candidate : candidates.first(std::min<std::size_t>(30, candidates.size())))
    list += (list.empty() ? "" : ", ") + std::string(candidate);
  if (candidates.size() > 30) list += " ...";
  return "; known are: " + list;
}

MapReader::MapReader(const YamlNode& node, std::string path, std::span<const std::string_view> keys,
                     Diagnostics& diagnostics)
    : node_(node), path_(std::move(path)), diagnostics_(diagnostics) {
  if (node.kind != YamlNode::Kind::map) {
    if (node.kind != YamlNode::Kind::null)
      diagnostics_.error(node.mark, path_, "must be a map of keys, not " + kind_name(node));
    return;
  }
  for (const YamlNode::Entry& entry : node.entries) {
    if (std::ranges::find(keys, entry.key) != keys.end()) continue;
    diagnostics_.error(entry.mark, path_of(entry.key),
                       diagnostics_.saturated() ? "" : "unknown key" + suggestion(entry.key, keys));
  }
}

std::string MapReader::path_of(std::string_view key) const {
  std::string shown(key.substr(0, kMaxNameBytes));
  return path_.empty() ? shown : path_ + "." + shown;
}

const YamlNode* MapReader::find(std::string_view key) const {
  const YamlNode* found = node_.find(key);
  return found && found->kind != YamlNode::Kind::null ? found : nullptr;
}

void MapReader::error(std::string_view key, const std::string& text) const {
  const YamlNode* value = node_.find(key);
  diagnostics_.error(value ? value->mark : node_.mark, path_of(key), text);
}

std::optional<std::string> MapReader::text(std::string_view key) const {
  const YamlNode* value = find(key);
  if (!value) return std::nullopt;
  if (value->kind != YamlNode::Kind::scalar) {
    error(key, "must be text, not " + kind_name(*value));
    return std::nullopt;
  }
  return value->scalar;
}

std::optional<bool> MapReader::flag(std::string_view key) const {
  const auto value = text(key);
  if (!value) return std::nullopt;
  if (*value == "true" || *value == "yes") return true;
  if (*value == "false" || *value == "no") return false;
  error(key, "must be true or false, not \"" + value->substr(0, 40) + "\"");
  return std::nullopt;
}

std::optional<std::int64_t> MapReader::integer(std::string_view key, Range range) const {
  const auto value = text(key);
  if (!value) return std::nullopt;
  std::int64_t number = 0;
  const char* end = value->data() + value->size();
  const auto [stop, ec] = std::from_chars(value->data(), end, number);
  if (ec != std::errc() || stop != end || number < range.low || number > range.high) {
    error(key, "must be a whole number from " + std::to_string(range.low) + " to " +
                   std::to_string(range.high) + ", not \"" + value->substr(0, 40) + "\"");
    return std::nullopt;
  }
  return number;
}

std::optional<std::chrono::milliseconds> MapReader::duration(std::string_view key) const {
  const auto value = text(key);
  if (!value) return std::nullopt;
  auto parsed = parse_duration(*value);
  if (!parsed) {
    error(key, parsed.error().text());
    return std::nullopt;
  }
  return *parsed;
}

std::vector<std::string> MapReader::texts(std::string_view key) const {
  const YamlNode* value = find(key);
  if (!value) return {};
  if (value->kind == YamlNode::Kind::scalar) return {value->scalar};
  std::vector<std::string> out;
  if (value->kind != YamlNode::Kind::list) {
    error(key, "must be a list of texts, not " + kind_name(*value));
    return out;
  }
  for (const YamlNode& item : value->items) {
    if (item.kind != YamlNode::Kind::scalar) {
      diagnostics_.error(item.mark, path_of(key), "each item must be text, not " + kind_name(item));
      continue;
    }
    out.push_back(item.scalar);
  }
  return out;
}

std::map<std::string, std::string> MapReader::text_map(std::string_view key) const {
  std::map<std::string, std::string> out;
  const YamlNode* value = find(key);
  if (!value) return out;
  if (value->kind != YamlNode::Kind::map) {
    error(key, "must be a map of texts, not " + kind_name(*value));
    return out;
  }
  for (const YamlNode::Entry& entry : value->entries) {
    const YamlNode& item = entry.value;
    if (item.kind == YamlNode::Kind::list || item.kind == YamlNode::Kind::map) {
      diagnostics_.error(item.mark, path_of(key) + "." + entry.key.substr(0, kMaxNameBytes),
                         "must be text, not " + kind_name(item));
      continue;
    }
    out[entry.key] = item.scalar;
  }
  return out;
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto refuse = [&] {
    return fail(Errc::invalid, "must be a time such as 250ms, 3s or 2m, not \"" +
                                   std::string(text.substr(0, 40)) + "\"");
  };
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, ec] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (ec != std::errc() || !(number >= 0)) return refuse();
  const std::string_view unit(stop, static_cast<std::size_t>(end - stop));
  double scale = 0;
  if (unit == "ms") scale = 1;
  if (unit == "s") scale = 1000;
  if (unit == "m") scale = 60'000;
  if (unit == "h") scale = 3'600'000;
  if (scale == 0) return refuse();
  constexpr double kMaxMs = 24.0 * 3'600'000;
  if (number * scale > kMaxMs) return fail(Errc::invalid, "must be at most 24h");
  return std::chrono::milliseconds(static_cast<std::int64_t>(number * scale + 0.5));
}

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > kMaxNameBytes) return false;
  const auto alnum = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (!alnum(text.front())) return false;
  return std::ranges::all_of(text,
                             [&](char c) { return alnum(c) || c == '-' || c == '_' || c == '.'; });
}

}  // namespace heddle::yaml
