#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "topologies/engine/format/lab.h"

namespace heddle::format {

// The lab with these hosts and nodes alone and the links between them (and from them to the machine
// itself, where it is no node of the file), which is what containerlab's `--node-filter` does.
// Addresses stay those of the whole lab. Steps, faults and checks that name something else are left
// out, each with a warning. Errors: `invalid` when a name is neither host nor node.
Result<Lab> filter_nodes(Lab lab, const std::vector<std::string>& names);

// The same of a file: one that says this much and no more, variables replaced, addresses written
// down. What else names a host or node that is left out is wrong when the file is read.
Result<std::string> filter_file(std::string_view text, const std::string& file,
                                const Environment& environment,
                                const std::vector<std::string>& names);

}  // namespace heddle::format
