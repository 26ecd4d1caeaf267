#include "netd/cluster/report_log.h"

namespace heddle::cluster {

bool ReportLog::set(NodeReport report) {
  const bool moved = known_ && now_.addresses != report.addresses;
  now_ = std::move(report);
  known_ = true;
  return moved;
}

void ReportLog::begin_session() {
  told_.clear();
  refused_.clear();
  told_any_ = false;
}

std::optional<ReportLog::Changes> ReportLog::take_changes() {
  if (!known_) return std::nullopt;
  Changes changes;
  changes.epoch = now_.epoch;
  changes.addresses = now_.addresses;
  changes.whole = !told_any_;
  std::map<model::Id, model::Endpoint> next;
  for (const model::Endpoint& endpoint : now_.endpoints) {
    const auto told = told_.find(endpoint.id);
    if (told == told_.end() || told->second != endpoint) changes.put.push_back(endpoint);
    next[endpoint.id] = endpoint;
  }
  for (const auto& [id, endpoint] : told_) {
    if (!next.contains(id)) changes.removed.push_back(id);
  }
  const bool same = told_epoch_ == now_.epoch && told_addresses_ == now_.addresses;
  if (told_any_ && changes.put.empty() && changes.removed.empty() && same) {
    return std::nullopt;
  }
  for (const model::Endpoint& endpoint : changes.put) refused_.erase(endpoint.id);
  told_any_ = true;
  told_ = std::move(next);
  told_epoch_ = now_.epoch;
  told_addresses_ = now_.addresses;
  return changes;
}

void ReportLog::retry_refused() {
  for (const model::Id& id : refused_) told_.erase(id);
  refused_.clear();
}

}  // namespace heddle::cluster
