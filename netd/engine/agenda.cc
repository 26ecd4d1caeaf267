#include "netd/engine/agenda.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <string_view>

namespace heddle::engine {
namespace {

// Frequent, and nothing that we go by.
bool is_noise(std::string_view action) {
  static constexpr std::array<std::string_view, 13> kNoise{
      "exec_create", "exec_start",    "exec_die",    "exec_died", "exec_detach",
      "exec",        "health_status", "attach",      "detach",    "top",
      "resize",      "copy",          "archive-path"};
  return std::ranges::find(kNoise, action) != kNoise.end();
}

// Whether such a `kill` is meant to end the container: not so a SIGHUP.
bool ends(int signal, const std::optional<Container>& container) {
  static constexpr std::array<int, 5> kEnding{0, SIGTERM, SIGKILL, SIGINT, SIGQUIT};
  return std::ranges::find(kEnding, signal) != kEnding.end() ||
         (container && container->stop_signal == signal);
}

bool is_new_run(std::string_view action) {
  return action == "die" || action == "died" || action == "start" || action == "restart";
}

}  // namespace

void Agenda::follow(const std::set<std::string>& containers) {
  std::erase_if(items_, [&](const auto& entry) { return !containers.contains(entry.first); });
  for (const std::string& id : containers) items_.try_emplace(id, Item{Time{}, {}, {}});
}

void Agenda::happened(const Event& event, Time now) {
  const auto found = items_.find(event.container);
  if (found == items_.end() || is_noise(event.action)) return;
  Item& item = found->second;
  item.due = Time{};
  if (event.action == "kill" && ends(event.signal, item.seen)) {
    item.ending =
        now + (item.seen ? item.seen->stop_timeout : Container().stop_timeout) + kEndingSlack;
  } else if (is_new_run(event.action)) {
    item.ending.reset();
  }
}

void Agenda::listed(const std::vector<Listed>& all) {
  std::map<std::string_view, const Listed*> by_id;
  for (const Listed& listed : all) by_id[listed.id] = &listed;
  for (auto& [id, item] : items_) {
    const auto now = by_id.find(id);
    const bool same = now != by_id.end() && item.seen && now->second->name == item.seen->name &&
                      now->second->status == item.seen->status;
    if (!same) item.due = Time{};
  }
}

void Agenda::look_at_all() {
  for (auto& [id, item] : items_) item.due = Time{};
}

std::vector<std::string> Agenda::due(Time now) {
  std::vector<std::string> ids;
  for (auto& [id, item] : items_) {
    const bool over = item.ending && *item.ending <= now;
    if (over) item.ending.reset();
    if (!over && (!item.due || *item.due > now)) continue;
    item.due.reset();
    ids.push_back(id);
  }
  return ids;
}

std::optional<Agenda::Time> Agenda::next() const {
  std::optional<Time> first;
  const auto consider = [&](const std::optional<Time>& time) {
    if (time && (!first || *time < *first)) first = time;
  };
  for (const auto& [id, item] : items_) {
    consider(item.due);
    consider(item.ending);
  }
  return first;
}

void Agenda::saw(const std::string& id, const std::optional<Container>& container) {
  const auto found = items_.find(id);
  if (found == items_.end()) return;
  found->second.seen = container;
  if (!container || !container->running) found->second.ending.reset();
}

void Agenda::failed(const std::string& id, Time now) {
  const auto found = items_.find(id);
  if (found != items_.end()) found->second.due = now + kRetry;
}

bool Agenda::is_ending(const std::string& id, Time now) const {
  const auto found = items_.find(id);
  return found != items_.end() && found->second.ending && *found->second.ending > now;
}

}  // namespace heddle::engine
