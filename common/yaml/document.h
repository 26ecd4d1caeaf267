#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"

namespace heddle::yaml {

// Where in a file, counted from 1. {0, 0}: nowhere in particular.
struct Mark {
  int line = 0;
  int column = 0;
  // Where something stands is no part of what it is.
  friend bool operator==(const Mark&, const Mark&) { return true; }
};

// One YAML value with its place. Aliases are expanded and merge keys (`<<`) are merged.
struct YamlNode {
  enum class Kind { null, scalar, list, map };
  struct Entry;

  Kind kind = Kind::null;
  Mark mark;
  bool quoted = false;  // a scalar in quotes or a block scalar: always text, never a number or null
  std::string scalar;
  std::vector<YamlNode> items;
  std::vector<Entry> entries;

  const YamlNode* find(std::string_view key) const;  // of a map; nullptr when absent
};
struct YamlNode::Entry {
  std::string key;
  Mark mark;
  YamlNode value;
};

// Bounds that no file written by hand or generated comes near; one past them is refused.
inline constexpr std::size_t kMaxFileBytes = 4U << 20;
inline constexpr std::size_t kMaxNodes = 400'000;  // after aliases were expanded
inline constexpr int kMaxDepth = 40;

// Reads one YAML document. `file` only stands in messages.
// Errors: `invalid`, as FILE:LINE:COLUMN: what is wrong.
Result<YamlNode> parse_yaml(std::string_view text, const std::string& file);

}  // namespace heddle::yaml
