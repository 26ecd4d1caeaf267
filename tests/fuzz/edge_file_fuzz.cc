// link: heddle_proxy_config heddle_proxy_route
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <variant>

#include "common/base/check.h"
#include "proxy/config/edge.h"
#include "proxy/route/table.h"
#include "tests/fuzz/support/seeded.h"
#include "tests/fuzz/support/target.h"

// A configuration file of `heddle-proxy --config`. One that is accepted can be put in force: its
// rules compile, and what they forward to is there.
namespace {

using namespace heddle;

bool leads_somewhere(const snapshot::Snapshot& snapshot, const snapshot::Action& action) {
  const auto* forward = std::get_if<snapshot::Forward>(&action);
  return !forward || std::ranges::all_of(forward->groups, [&](const auto& group) {
    return std::ranges::any_of(snapshot.groups,
                               [&](const auto& one) { return one.name == group.group; });
  });
}

}  // namespace

HEDDLE_FUZZ_TARGET(edge_file, data, size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto edge = config::parse_edge(text, "edge.yaml");
  if (!edge) {
    CHECK(edge.error().text().starts_with("edge.yaml"));
    return 0;
  }
  HEDDLE_DEFECT("a rule forwards to a group that is not there", edge->snapshot.groups.clear());
  for (const snapshot::Listener& listener : edge->snapshot.listeners) {
    CHECK(route::Table::make(std::make_shared<snapshot::Listener>(listener), nullptr));
    for (const snapshot::Rule& rule : listener.rules) {
      CHECK(leads_somewhere(edge->snapshot, rule.action));
    }
    if (listener.default_action) CHECK(leads_somewhere(edge->snapshot, *listener.default_action));
  }
  const auto snapshot = config::resolved(*edge, {{"app", {IpAddr::v4(1), IpAddr::v4(2)}}});
  CHECK(snapshot.groups.size() == edge->snapshot.groups.size());
  return 0;
}
