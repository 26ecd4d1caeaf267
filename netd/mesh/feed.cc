#include "netd/mesh/feed.h"

#include <algorithm>

namespace heddle::mesh {

void Feed::update(std::shared_ptr<const Catalog> catalog, std::shared_ptr<const ProxyPlan> plan) {
  catalog_ = std::move(catalog);
  plan_ = std::move(plan);
  const bool same_names = std::ranges::equal(
      plan_->groups, sent_fixed_, {}, [](const auto& e) { return e.first; },
      [](const auto& e) { return e.first; });
  snapshot_due_ = revision_ == 0 || !same_names || plan_->listeners != sent_listeners_;
  for (const auto& [name, fixed] : plan_->groups) {
    const auto sent = sent_fixed_.find(name);
    if (sent != sent_fixed_.end() && sent->second != fixed_group(name, fixed))
      changed_.insert(name);
  }
  // A destination that means something else by now is answered anew, unasked.
  for (const auto& [destination, group] : destinations_) {
    const auto ref = catalog_->resolve(plan_->networks, destination);
    if (!ref || catalog_->name_of(*ref) != group) ask(destination);
  }
  std::vector<std::string> vanished;
  for (const auto& [name, used] : used_) {
    if (!catalog_->has(used.ref) || catalog_->name_of(used.ref) != name) {
      vanished.push_back(name);
    } else if (!used.sent || *used.sent != catalog_->group(used.ref)) {
      changed_.insert(name);
    }
  }
  for (const auto& name : vanished) {
    forget(name);
    removed_.push_back(name);
  }
}

Result<> Feed::resolve(const SocketAddr& destination) {
  if (questions_.size() >= kMaxQuestions) {
    return fail(Errc::exhausted, "more than " + std::to_string(kMaxQuestions) +
                                     " destinations are asked for at once");
  }
  ask(destination);
  return {};
}

void Feed::release(const std::string& group) {
  forget(group);
}

std::optional<ConfigMessage> Feed::next() {
  if (!catalog_) return std::nullopt;
  if (snapshot_due_) return take_snapshot();
  if (!removed_.empty()) {
    GroupRemoved removed{std::move(removed_.front())};
    removed_.pop_front();
    return removed;
  }
  while (!changed_.empty()) {
    const std::string name = *changed_.begin();
    changed_.erase(changed_.begin());
    if (const auto fixed = plan_->groups.find(name); fixed != plan_->groups.end()) {
      return sent_fixed_[name] = fixed_group(name, fixed->second);
    }
    const auto used = used_.find(name);
    if (used == used_.end()) continue;
    used->second.sent = catalog_->group(used->second.ref);
    return *used->second.sent;
  }
  return answer();
}

std::set<std::string> Feed::sockets() const {
  std::set<std::string> names;
  for (const auto& listener : sent_listeners_) names.insert(listener.socket);
  return names;
}

TargetGroup Feed::fixed_group(const std::string& name, const FixedGroup& fixed) const {
  TargetGroup group = catalog_->group(fixed.ref);
  group.name = name;
  group.algorithm = fixed.algorithm;
  return group;
}

Snapshot Feed::take_snapshot() {
  snapshot_due_ = false;
  sent_listeners_ = plan_->listeners;
  sent_fixed_.clear();
  Snapshot snapshot{++revision_, plan_->listeners, {}};
  for (const auto& [name, fixed] : plan_->groups) {
    snapshot.groups.push_back(sent_fixed_[name] = fixed_group(name, fixed));
    changed_.erase(name);
  }
  return snapshot;
}

// The group comes before the answer that names it.
std::optional<ConfigMessage> Feed::answer() {
  if (questions_.empty()) return std::nullopt;
  const SocketAddr destination = questions_.front();
  const auto ref = catalog_->resolve(plan_->networks, destination);
  const std::string name = ref ? catalog_->name_of(*ref) : "";
  if (ref && !used_.contains(name)) {
    if (used_.size() >= kMaxGroups) make_room();
    Used& used = used_[name];
    used = {*ref, catalog_->group(*ref), next_since_++};
    return *used.sent;
  }
  questions_.pop_front();
  questioned_.erase(destination);
  if (ref) {
    destinations_[destination] = name;
  } else {
    destinations_.erase(destination);
  }
  return Resolved{destination, name};
}

void Feed::ask(const SocketAddr& destination) {
  if (questioned_.insert(destination).second) questions_.push_back(destination);
}

void Feed::forget(const std::string& group) {
  used_.erase(group);
  std::erase_if(destinations_, [&](const auto& entry) { return entry.second == group; });
}

void Feed::make_room() {
  const auto oldest =
      std::ranges::min_element(used_, {}, [](const auto& entry) { return entry.second.since; });
  const std::string name = oldest->first;
  forget(name);
  removed_.push_back(name);
}

}  // namespace heddle::mesh
