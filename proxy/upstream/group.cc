#include "proxy/upstream/group.h"

#include <algorithm>

namespace heddle::upstream {
namespace {

balance::Algorithm algorithm_of(const snapshot::TargetGroup& config) {
  return config.algorithm == snapshot::Algorithm::least_request ? balance::Algorithm::least_request
                                                                : balance::Algorithm::round_robin;
}

}  // namespace

Group::Group(snapshot::TargetGroup config, telemetry::Metrics& metrics,
             io::DeadlineQueue& deadlines, std::uint64_t seed)
    : config_(std::move(config)),
      metrics_(metrics),
      deadlines_(deadlines),
      seed_(seed),
      service_metrics_(metrics.service(config_.service)),
      picker_(algorithm_of(config_), seed) {
  apply(config_);
}

Group::~Group() {
  for (const auto& target : targets_) target->retire();
}

void Group::apply(snapshot::TargetGroup config) {
  if (config.service != config_.service) service_metrics_ = metrics_.service(config.service);
  if (config.algorithm != config_.algorithm) {
    picker_ = balance::Picker(algorithm_of(config), seed_);
  }
  config_ = std::move(config);
  std::unordered_map<std::string, std::shared_ptr<Target>> old;
  for (auto& target : targets_) old.emplace(target->id(), std::move(target));
  targets_.clear();
  balance::Random random(seed_);
  for (const snapshot::Target& wanted : config_.targets) {
    const auto found = old.find(wanted.id);
    if (found != old.end() && found->second->address() == wanted.address) {
      found->second->apply(wanted);
      targets_.push_back(std::move(found->second));
      old.erase(found);
      continue;
    }
    auto label = metrics_.target(config_.service, wanted.address.format());
    targets_.push_back(std::make_shared<Target>(wanted, std::move(label), deadlines_));
    // Proxies that start together must not all begin with the first target.
    targets_.back()->load().turn = static_cast<std::int64_t>(random.below(wanted.weight + 1));
  }
  for (auto& [id, target] : old) target->retire();
  rebuild_loads();
}

void Group::rebuild_loads() {
  loads_.clear();
  for (const auto& target : targets_) loads_.push_back(&target->load());
}

std::shared_ptr<Target> Group::pick(std::span<balance::Load* const> tried, Deadline now) {
  balance::Load* chosen = picker_.pick(loads_, tried, now);
  if (!chosen) return nullptr;
  const auto at = std::ranges::find(loads_, chosen) - loads_.begin();
  return targets_[static_cast<std::size_t>(at)];
}

}  // namespace heddle::upstream
