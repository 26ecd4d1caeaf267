#pragma once
#include "ctl/cmd/command.h"
#include "topologies/engine/format/lab.h"

namespace heddle::cmd {

inline constexpr Flag kNodeFilter{"--node-filter", "NODE,NODE...",
                                  "only these hosts and nodes, and the links between them"};

// `a,b,c`. Errors: `invalid` for an empty name.
Result<std::vector<std::string>> parse_node_filter(const std::vector<std::string>& values);

// FILE, by --node-filter. Errors: those of format::load_lab and filter_nodes.
Result<format::Lab> load_filtered(const Arguments& arguments);

// The lab by --node-filter; all of it without the flag. Errors: see format::filter_nodes.
Result<format::Lab> filtered(const Arguments& arguments, format::Lab lab);

}  // namespace heddle::cmd
