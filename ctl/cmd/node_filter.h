#pragma once
#include "ctl/cmd/command.h"
#include "topologies/engine/format/lab.h"

namespace heddle::cmd {

inline constexpr Flag kNodeFilter{"--node-filter", "NODE,NODE...",
                                  "only these hosts and nodes, and the links between them"};

inline constexpr Flag kRuntime{
    "--runtime", "RUNTIME", "what nodes run in, netns or docker, in place of the file's runtime"};

// Absent: the file's. Errors: `invalid`.
Result<std::optional<format::Runtime>> parse_runtime(const Arguments& arguments);

// `a,b,c`. Errors: `invalid` for an empty name.
Result<std::vector<std::string>> parse_node_filter(const std::vector<std::string>& values);

// FILE, by --runtime and --node-filter. Errors: those of format::load_lab and filter_nodes.
Result<format::Lab> load_filtered(const Arguments& arguments);

// The lab by --node-filter; all of it without the flag. Errors: see format::filter_nodes.
Result<format::Lab> filtered(const Arguments& arguments, format::Lab lab);

}  // namespace heddle::cmd
