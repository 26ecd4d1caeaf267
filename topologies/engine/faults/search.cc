#include "topologies/engine/faults/search.h"

#include <algorithm>
#include <set>

#include "topologies/engine/format/targets.h"

namespace heddle::faults {
namespace {

constexpr Milliseconds kStrikes{300};

}  // namespace

std::vector<std::vector<Occurrence>> single_and_pairwise(const format::Lab& lab) {
  std::vector<Occurrence> singles;
  for (const std::string& link : format::link_names(lab))
    singles.push_back({.name = "", .action = format::fault::Cut{}, .on = {link}, .at = kStrikes});
  for (const format::Host& host : lab.hosts)
    singles.push_back(
        {.name = "", .action = format::fault::Kill{}, .on = {host.name}, .at = kStrikes});
  for (const format::Node& node : lab.nodes) {
    if (node.kind == format::NodeKind::linux)
      singles.push_back(
          {.name = "", .action = format::fault::Kill{}, .on = {node.name}, .at = kStrikes});
  }
  std::vector<std::vector<Occurrence>> out;
  for (const Occurrence& single : singles) out.push_back({single});
  for (std::size_t i = 0; i < singles.size(); ++i) {
    for (std::size_t j = i + 1; j < singles.size(); ++j) out.push_back({singles[i], singles[j]});
  }
  return out;
}

format::Lab without_dead_places(format::Lab lab, const std::vector<Occurrence>& occurrences) {
  std::set<std::string> dead;
  for (const Occurrence& occurrence : occurrences) {
    if (std::holds_alternative<format::fault::Kill>(occurrence.action))
      dead.insert(occurrence.on.begin(), occurrence.on.end());
  }
  for (format::Check& check : lab.checks) {
    if (check.on.empty()) {
      for (const format::Host& host : lab.hosts) {
        if (host.daemon) check.on.push_back(host.name);
      }
    }
    std::erase_if(check.on,
                  [&](const std::string& on) { return dead.contains(on.substr(0, on.find('/'))); });
  }
  std::erase_if(lab.checks, [](const format::Check& check) { return check.on.empty(); });
  return lab;
}

}  // namespace heddle::faults
