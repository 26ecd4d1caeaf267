#pragma once
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/yaml/document.h"

namespace heddle::yaml {

// Collects what is wrong with one file, so that its author sees all of it at once.
class Diagnostics final {
 public:
  explicit Diagnostics(std::string file) : file_(std::move(file)) {}

  // `path` is the key's place: `hosts.h1.address`.
  void error(Mark mark, const std::string& path, const std::string& text);
  void warn(Mark mark, const std::string& path, const std::string& text);

  bool saturated() const { return errors_.size() >= kMaxShown; }  // more are only counted
  bool failed() const { return !errors_.empty(); }
  Error as_error() const;  // one line each; CHECKs failed()
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  static constexpr std::size_t kMaxShown = 25;
  std::string line(Mark mark, const std::string& path, const std::string& text) const;
  std::string file_;
  std::vector<std::string> errors_;
  std::vector<std::string> warnings_;
  std::size_t more_ = 0;
};

// `; did you mean "x"?`, or the list of what is possible.
std::string suggestion(std::string_view word, std::span<const std::string_view> candidates);

// One map of the file. Construction reports a value that is no map and each key that is not known.
// Getters report a value of the wrong form and then answer as if it were absent.
class MapReader final {
 public:
  MapReader(const YamlNode& node, std::string path, std::span<const std::string_view> keys,
            Diagnostics& diagnostics);

  const YamlNode* find(std::string_view key) const;  // null values count as absent
  std::string path_of(std::string_view key) const;
  Mark mark() const { return node_.mark; }

  std::optional<std::string> text(std::string_view key) const;
  std::optional<bool> flag(std::string_view key) const;
  struct Range {
    std::int64_t low = 0;
    std::int64_t high = 0;
  };
  std::optional<std::int64_t> integer(std::string_view key, Range range) const;
  std::optional<std::chrono::milliseconds> duration(std::string_view key) const;
  std::vector<std::string> texts(std::string_view key) const;  // a list, or one text
  std::map<std::string, std::string> text_map(std::string_view key) const;

  void error(std::string_view key, const std::string& text) const;

 private:
  const YamlNode& node_;
  std::string path_;
  Diagnostics& diagnostics_;
};

// `250ms`, `3s`, `1.5s`, `2m`. A bare number is not accepted: it would leave the unit open.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

// What things are called: a letter or digit, then letters, digits,
// `-`, `_` and `.`, at most 63 bytes.
bool is_name(std::string_view text);

}  // namespace heddle::yaml
