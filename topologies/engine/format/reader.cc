#include "topologies/engine/format/reader.h"

namespace heddle::format {

bool is_interface_name(std::string_view name) {
  return !name.empty() && name.size() <= 63 && name != "." && name != ".." && name != "lo" &&
         name.find_first_of(" \t\n:/") == std::string_view::npos;
}

}  // namespace heddle::format
