#include "topologies/engine/stages/stages.h"

#include <algorithm>
#include <unordered_map>

#include "common/base/check.h"

namespace heddle::stages {

std::optional<Stage> parse_stage(std::string_view name) {
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Stage>(found - kNames.begin());
}

Result<Scheduler> Scheduler::make(const std::vector<Node>& nodes) {
  Scheduler scheduler;
  scheduler.plan(nodes);
  TRY_DO(scheduler.refuse_cycle(nodes));
  for (std::size_t i = 0; i < scheduler.missing_.size(); ++i) {
    if (scheduler.needed_[i] && scheduler.missing_[i] == 0) scheduler.ready_.push_back(i);
  }
  return scheduler;
}

void Scheduler::plan(const std::vector<Node>& nodes) {
  std::unordered_map<std::string_view, std::size_t> numbers;
  for (std::size_t i = 0; i < nodes.size(); ++i) numbers[nodes[i].name] = i;
  needed_.assign(nodes.size() * kStages, false);
  waited_by_.resize(needed_.size());
  missing_.assign(needed_.size(), 0);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (std::size_t s = 0; s < kStages; ++s) {
      const bool always = s <= static_cast<std::size_t>(Stage::configure);
      needed_[i * kStages + s] =
          needed_[i * kStages + s] || always || nodes[i].acts[s] || !nodes[i].waits[s].empty();
      for (const Wait& wait : nodes[i].waits[s]) {
        const auto found = numbers.find(wait.node);
        if (found != numbers.end()) needed_[id(found->second, wait.stage)] = true;
      }
    }
  }
  const auto add = [&](std::size_t before, std::size_t after) {
    waited_by_[before].push_back(after);
    ++missing_[after];
  };
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    std::optional<std::size_t> before;
    for (std::size_t s = 0; s < kStages; ++s) {
      const std::size_t own = i * kStages + s;
      if (!needed_[own]) continue;
      ++open_;
      if (before) add(*before, own);
      before = own;
      for (const Wait& wait : nodes[i].waits[s]) {
        const auto found = numbers.find(wait.node);
        if (found != numbers.end()) add(id(found->second, wait.stage), own);
      }
    }
  }
}

// Whatever is left after all that could ever begin was taken away lies on a cycle or behind one:
// walking from what waits to what it waits for must come round.
Result<> Scheduler::refuse_cycle(const std::vector<Node>& nodes) const {
  std::vector<std::size_t> missing = missing_;
  std::vector<std::size_t> free;
  for (std::size_t i = 0; i < missing.size(); ++i) {
    if (needed_[i] && missing[i] == 0) free.push_back(i);
  }
  while (!free.empty()) {
    const std::size_t one = free.back();
    free.pop_back();
    for (const std::size_t after : waited_by_[one]) {
      if (--missing[after] == 0) free.push_back(after);
    }
  }
  std::vector<std::optional<std::size_t>> waits_for(missing.size());
  std::optional<std::size_t> at;
  for (std::size_t i = 0; i < missing.size(); ++i) {
    if (missing[i] == 0) continue;
    at = i;
    for (const std::size_t after : waited_by_[i]) {
      if (missing[after]) waits_for[after] = i;
    }
  }
  if (!at) return {};
  std::vector<bool> seen(missing.size(), false);
  while (!seen[*at]) {
    seen[*at] = true;
    at = waits_for[*at];
    CHECK(at);
  }
  std::vector<std::size_t> circle{*at};
  for (std::size_t next = *waits_for[*at]; next != *at; next = *waits_for[next])
    circle.push_back(next);
  std::ranges::rotate(circle, std::ranges::min_element(circle));
  const auto words = [&](std::size_t task) {
    const Task parts = task_of(task);
    return nodes[parts.node].name + " " + std::string(name_of(parts.stage));
  };
  std::string text = words(circle.front());
  for (std::size_t i = 1; i <= circle.size(); ++i)
    text += (i == 1 ? " waits for " : ", which waits for ") + words(circle[i % circle.size()]);
  return fail(Errc::invalid, "nodes wait for each other in a circle: " + text);
}

std::vector<Scheduler::Task> Scheduler::take() {
  std::ranges::sort(ready_);
  std::vector<Task> out;
  for (const std::size_t one : ready_) out.push_back(task_of(one));
  ready_.clear();
  return out;
}

void Scheduler::done(Task task) {
  const std::size_t own = id(task.node, task.stage);
  CHECK(open_ > 0 && needed_[own] && missing_[own] == 0);
  needed_[own] = false;  // once
  --open_;
  for (const std::size_t after : waited_by_[own]) {
    if (--missing_[after] == 0) ready_.push_back(after);
  }
}

}  // namespace heddle::stages
