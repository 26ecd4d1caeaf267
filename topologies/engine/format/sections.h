#pragma once
// Inside this folder only: the readers of the file's sections.
#include "topologies/engine/format/lab.h"
#include "topologies/engine/format/reader.h"

namespace heddle::format {

void read_topology(const YamlNode& topology, Lab& lab, Diagnostics& diagnostics);
void read_underlay(const YamlNode* underlay, Lab& lab, Diagnostics& diagnostics);
void read_hosts(const YamlNode& hosts, Lab& lab, Diagnostics& diagnostics);
void read_steps(const YamlNode& steps, Lab& lab, Diagnostics& diagnostics);

// `impair:` of a link, a host, a node, the underlay or a fault. `path` is its place.
LinkImpairment read_impairment(const YamlNode& node, const std::string& path,
                               Diagnostics& diagnostics);

// After all sections: names, addresses and references that must agree with each other. Gives
// automatic underlay addresses.
void check_lab(Lab& lab, Diagnostics& diagnostics);

// For keys that the full format will have.
inline constexpr std::string_view kNotYet = "not supported yet in this version";

}  // namespace heddle::format
