// link: heddle_topologies_engine_plan heddle_topologies_engine_faults
// Whatever a lab file holds, it is read or refused, in bounded time; and what was read can be
// planned and its faults strike somebody; and saved, it is a file of the same lab.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tests/fuzz/support/seeded.h"
#include "tests/fuzz/support/target.h"
#include "topologies/engine/faults/timeline.h"
#include "topologies/engine/format/save.h"
#include "topologies/engine/plan/plan.h"

HEDDLE_FUZZ_TARGET(lab_file, data, size) {
  using namespace heddle;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto lab = format::parse_lab(text, "fuzz.lab.yml", {{"A", "b"}});
  if (!lab) {
    if (lab.error().text().find("fuzz.lab.yml") == std::string::npos) std::abort();
    return 0;
  }
  if (const auto saved = format::save_lab(text, "fuzz.lab.yml", {{"A", "b"}}, {})) {
    const auto again = format::parse_lab(*saved, "again", {});
    if (!again || again->name != lab->name || again->hosts.size() != lab->hosts.size() ||
        again->nodes.size() != lab->nodes.size() || again->links.size() != lab->links.size() ||
        again->steps.size() != lab->steps.size())
      std::abort();
  }
  for (const faults::Occurrence& occurrence : faults::expand(*lab, 1)) {
    const auto* partition = std::get_if<format::fault::Partition>(&occurrence.action);
    if (partition ? partition->sides.size() < 2 : occurrence.on.empty()) std::abort();
    if (faults::describe(occurrence).empty()) std::abort();
  }
  const plan::LabPaths paths(plan::roots_for("", "/cgroup"), lab->name);
  auto planned = plan::plan_lab(*lab, paths);
  if (!planned) return 0;
  for (auto& veth : planned->veths) {
    HEDDLE_DEFECT("an interface's name is not bounded", veth.a.interface.append(kMaxIfName, 'x'));
    if (veth.a.interface.empty() || veth.a.interface.size() > kMaxIfName) std::abort();
    if (veth.b.interface.empty() || veth.b.interface.size() > kMaxIfName) std::abort();
  }
  return 0;
}
