#pragma once
#include <string>

#include "topologies/engine/format/reader.h"

namespace heddle::format {

// A tree as YAML, in blocks, with `|` for text of several lines. parse_yaml reads the same tree
// back (but for places, and for which texts were quoted).
std::string emit_yaml(const YamlNode& root);

}  // namespace heddle::format
