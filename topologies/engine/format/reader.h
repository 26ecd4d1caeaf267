#pragma once
#include <string_view>

#include "common/yaml/reader.h"

namespace heddle::format {

using yaml::Diagnostics;
using yaml::is_name;
using yaml::kMaxFileBytes;
using yaml::MapReader;
using yaml::Mark;
using yaml::parse_duration;
using yaml::parse_yaml;
using yaml::suggestion;
using yaml::YamlNode;

// Of a link's end; longer than the kernel's are shortened.
bool is_interface_name(std::string_view name);

}  // namespace heddle::format
