#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "topologies/engine/format/lab.h"

// Whom a lab's faults can hit.
namespace heddle::format {

// `n1:eth1` for the link that is named by either end, or, for one to the underlay, by its host or
// node alone; empty when there is none.
std::string link_name(const Lab& lab, std::string_view any_name);
// Of all links, in the file's order; those to the underlay first.
std::vector<std::string> link_names(const Lab& lab);

// Processes that steps leave running, and nodes' own commands (`cmd.NODE`).
std::vector<std::string> process_names(const Lab& lab);

// Everything that a fault of this kind may name.
std::vector<std::string> can_be_hit(const Lab& lab, const FaultAction& action);
// From whom `one`, `minority` and the like choose when the file names nobody: for kill, restart and
// pause the hosts, or the linux nodes where there are none; for partitions who is on the underlay.
std::vector<std::string> chosen_from(const Lab& lab, const FaultAction& action);

// Its disk can become full: its directories need a file system of their own.
bool may_fill_disk(const Lab& lab, std::string_view host);

}  // namespace heddle::format
