#include "proxy/health/report.h"

#include "proxy/control/describe.h"

namespace heddle::health {
namespace {

using control::quoted_json;

std::string_view state_of(const snapshot::Target& target, const balance::Vitals& vitals,
                          Deadline now) {
  if (target.state == snapshot::TargetState::draining) return "draining";
  if (target.state == snapshot::TargetState::gone) return "gone";
  if (!vitals.healthy.load(std::memory_order_relaxed)) return "unhealthy";
  const auto until = vitals.ejected_until.load(std::memory_order_relaxed);
  return until > balance::Vitals::nanos(now) ? "ejected" : "ready";
}

std::string describe(const upstream::Budgets& budgets) {
  return "\"connections\":" + std::to_string(budgets.connections->used()) +
         ",\"pending\":" + std::to_string(budgets.pending->used()) +
         ",\"requests\":" + std::to_string(budgets.requests->used()) +
         ",\"retries\":" + std::to_string(budgets.retries->used());
}

}  // namespace

std::string describe_backends(const Groups& groups, upstream::Shared& shared, Deadline now) {
  std::string out = "{" + describe(shared.all) + ",\"target_groups\":[";
  for (const auto& [name, group] : groups) {
    if (!out.ends_with('[')) out += ',';
    const auto common = shared.group(name);
    out += "{\"name\":" + quoted_json(name) + "," + describe(common->budgets) + ",\"targets\":[";
    for (const snapshot::Target& target : group->targets) {
      if (!out.ends_with('[')) out += ',';
      const auto vitals = common->vitals(target.id);
      out += "{\"id\":" + quoted_json(target.id) +
             ",\"address\":" + quoted_json(target.address.format()) +
             ",\"state\":" + quoted_json(state_of(target, *vitals, now)) +
             ",\"failures\":" + std::to_string(vitals->failures.load(std::memory_order_relaxed)) +
             "}";
    }
    out += "]}";
  }
  return out + "]}\n";
}

}  // namespace heddle::health
