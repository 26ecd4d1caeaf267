#pragma once
#include <string>
#include <string_view>

namespace heddle::format {

// Text as a YAML value or key that is read back as this very text: plain where nothing can take it
// for something else, else in double quotes.
std::string yaml_scalar(std::string_view text);

}  // namespace heddle::format
