#include "topologies/engine/faults/search.h"

#include <algorithm>
#include <set>

#include "topologies/engine/format/targets.h"

namespace heddle::faults {
namespace {

constexpr Milliseconds kStrikes{300};

}  // namespace

Combinations single_and_pairwise(const format::Lab& lab, std::size_t most) {
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
  Combinations out{.possible = singles.size() * (singles.size() + 1) / 2};
  for (std::size_t i = 0; i < singles.size() && out.all.size() < most; ++i)
    out.all.push_back({singles[i]});
  for (std::size_t i = 0; i < singles.size(); ++i) {
    for (std::size_t j = i + 1; j < singles.size() && out.all.size() < most; ++j)
      out.all.push_back({singles[i], singles[j]});
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
