#include <algorithm>

#include "proxy/config/sections.h"
#include "proxy/http/syntax.h"
#include "proxy/route/pattern.h"

namespace heddle::config {
namespace {

using snapshot::Condition;
using snapshot::StringMatch;
using yaml::MapReader;
using yaml::YamlNode;

constexpr std::size_t kMostText = 1024;

class ConditionReader {
 public:
  ConditionReader(Reading& reading, const YamlNode& node, const std::string& path)
      : reading_(reading), map_(node, path, keys::kWhen, reading.diagnostics) {}

  std::vector<Condition> read() {
    read_texts("host", Condition::Of::host);
    read_texts("path", Condition::Of::path);
    read_methods();
    read_named("headers", Condition::Of::header);
    read_named("query", Condition::Of::query);
    read_sources();
    return std::move(out_);
  }

 private:
  void read_texts(std::string_view key, Condition::Of of) {
    const YamlNode* node = map_.find(key);
    if (!node) return;
    Condition condition;
    condition.of = of;
    read_matches(*node, map_.path_of(key), condition);
    out_.push_back(std::move(condition));
  }

  void read_methods() {
    const auto methods = map_.texts("method");
    if (methods.empty()) return;
    Condition condition;
    condition.of = Condition::Of::method;
    for (const std::string& method : methods) {
      if (!http::is_token(method)) {
        map_.error("method", "\"" + method.substr(0, 40) + "\" is no method");
      }
      condition.any.push_back({StringMatch::How::exact, method});
    }
    out_.push_back(std::move(condition));
  }

  void read_named(std::string_view key, Condition::Of of) {
    const YamlNode* node = map_.find(key);
    if (!node) return;
    if (node->kind != YamlNode::Kind::map) {
      map_.error(key, "must be a map of names and the values to look for");
      return;
    }
    for (const YamlNode::Entry& entry : node->entries) {
      const std::string path = map_.path_of(key) + "." + entry.key.substr(0, 63);
      if (of == Condition::Of::header && !http::is_token(entry.key)) {
        reading_.diagnostics.error(entry.mark, path, "is no name of a header");
      }
      Condition condition;
      condition.of = of;
      condition.name = entry.key;
      read_matches(entry.value, path, condition);
      out_.push_back(std::move(condition));
    }
  }

  void read_sources() {
    const auto texts = map_.texts("source");
    if (texts.empty()) return;
    Condition condition;
    condition.of = Condition::Of::source;
    for (const std::string& text : texts) {
      auto prefix = Prefix::parse(text);
      if (!prefix) {
        if (const auto address = IpAddr::parse(text)) {
          prefix = Prefix::containing(*address, address->is_v4() ? 32 : 128);
        }
      }
      if (prefix) {
        condition.sources.push_back(*prefix);
      } else {
        map_.error("source", "must be addresses or ranges such as 10.0.0.0/8, not \"" +
                                 text.substr(0, 60) + "\": " + prefix.error().text());
      }
    }
    out_.push_back(std::move(condition));
  }

  // A text, a map with one way to compare, or a list of them.
  void read_matches(const YamlNode& node, const std::string& path, Condition& condition) {
    if (node.kind == YamlNode::Kind::list && !node.items.empty()) {
      for (std::size_t i = 0; i < node.items.size(); ++i) {
        read_match(node.items[i], path + "[" + std::to_string(i) + "]", condition);
      }
    } else {
      read_match(node, path, condition);
    }
  }

  void read_match(const YamlNode& node, const std::string& path, Condition& condition) {
    StringMatch match;
    if (node.kind == YamlNode::Kind::scalar) {
      const bool wild = node.scalar.find_first_of("*?") != std::string::npos;
      match = {wild ? StringMatch::How::wildcard : StringMatch::How::exact, node.scalar};
    } else if (node.kind == YamlNode::Kind::map && node.entries.size() == 1) {
      const MapReader map(node, path, keys::kMatch, reading_.diagnostics);
      match.how = how_of(node.entries.front().key);
      match.text = map.text(node.entries.front().key).value_or("");
    } else {
      reading_.diagnostics.error(node.mark, path,
                                 "must be a text, one of {exact: ...}, {prefix: ...}, {suffix: "
                                 "...}, {wildcard: ...}, {regex: ...}, or a list of them");
      return;
    }
    check(node, path, condition.of, match);
    condition.any.push_back(std::move(match));
  }

  static StringMatch::How how_of(std::string_view key) {
    if (key == "prefix") return StringMatch::How::prefix;
    if (key == "suffix") return StringMatch::How::suffix;
    if (key == "wildcard") return StringMatch::How::wildcard;
    if (key == "regex") return StringMatch::How::regex;
    return StringMatch::How::exact;
  }

  void check(const YamlNode& node, const std::string& path, Condition::Of of, StringMatch& match) {
    const auto refuse = [&](const std::string& text) {
      reading_.diagnostics.error(node.mark, path, text);
    };
    if (match.text.size() > kMostText) refuse("is longer than 1024 bytes");
    const bool anchored =
        match.how == StringMatch::How::exact || match.how == StringMatch::How::prefix;
    if (of == Condition::Of::path && anchored && !match.text.starts_with('/')) {
      refuse("a path begins with /");
    }
    if (of == Condition::Of::host && match.how != StringMatch::How::regex) {
      std::ranges::transform(match.text, match.text.begin(), http::to_lower);
      if (match.text.empty()) refuse("a host is missing");
      const bool port = match.text.find(':') != std::string::npos && !match.text.starts_with('[');
      if (port) refuse("a host is compared without its port");
    }
    if (const auto pattern = route::Pattern::make(match); !pattern) {
      refuse(pattern.error().text());
    }
  }

  Reading& reading_;
  const MapReader map_;
  std::vector<Condition> out_;
};

}  // namespace

std::vector<Condition> read_conditions(Reading& reading, const YamlNode& node,
                                       const std::string& path) {
  auto out = ConditionReader(reading, node, path).read();
  if (out.empty()) {
    reading.diagnostics.error(node.mark, path,
                              "names no condition: use `default` for all requests");
  }
  return out;
}

}  // namespace heddle::config
