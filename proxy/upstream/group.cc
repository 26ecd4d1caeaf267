#include "proxy/upstream/group.h"

#include <algorithm>

#include "common/observe/log.h"
#include "proxy/balance/outlier.h"

namespace heddle::upstream {
namespace {

balance::Policy policy_of(const snapshot::TargetGroup& config) {
  using From = snapshot::Algorithm;
  using To = balance::Algorithm;
  static constexpr std::pair<From, To> kSame[] = {
      {From::round_robin, To::round_robin}, {From::least_request, To::least_request},
      {From::peak_ewma, To::peak_ewma},     {From::random, To::random},
      {From::source_hash, To::source_hash}, {From::ring_hash, To::ring_hash},
      {From::maglev, To::maglev},
  };
  balance::Policy out;
  for (const auto& [from, to] : kSame) {
    if (from == config.algorithm) out.algorithm = to;
  }
  out.slow_start = config.slow_start;
  out.panic_threshold = config.panic_threshold;
  return out;
}

}  // namespace

Group::Group(snapshot::TargetGroup config, telemetry::Metrics& metrics, Shared& shared,
             io::DeadlineQueue& deadlines, std::uint64_t seed)
    : config_(std::move(config)),
      metrics_(metrics),
      shared_(shared),
      shared_group_(shared.group(config_.name)),
      deadlines_(deadlines),
      seed_(seed),
      service_metrics_(metrics.service(config_.service)),
      picker_(policy_of(config_), seed) {
  apply(config_);
}

Group::~Group() {
  for (const auto& target : targets_) target->retire();
}

void Group::apply(snapshot::TargetGroup config) {
  if (config.service != config_.service) service_metrics_ = metrics_.service(config.service);
  if (policy_of(config) != policy_of(config_)) picker_ = balance::Picker(policy_of(config), seed_);
  config_ = std::move(config);
  std::unordered_map<std::string, std::shared_ptr<Target>> old;
  for (auto& target : targets_) old.emplace(target->id(), std::move(target));
  targets_.clear();
  const Deadline now = std::chrono::steady_clock::now();
  for (const snapshot::Target& wanted : config_.targets) {
    const auto found = old.find(wanted.id);
    if (found != old.end() && found->second->address() == wanted.address) {
      found->second->apply(wanted);
      targets_.push_back(std::move(found->second));
      old.erase(found);
      continue;
    }
    auto label = metrics_.target(config_.service, wanted.address.format());
    targets_.push_back(std::make_shared<Target>(wanted, std::move(label),
                                                shared_group_->vitals(wanted.id), deadlines_));
    if (begun_) targets_.back()->load().ready_since = now;
  }
  for (auto& [id, target] : old) {
    if (config_.deregistration_delay) {
      target->drain(after(*config_.deregistration_delay));
    } else {
      target->retire();
    }
  }
  begun_ = true;
  shared_group_->budgets.set_limits(config_.limits);
  retries_.set_share(config_.retry.value_or(snapshot::Retry()).budget);
  assign_loads();
}

void Group::assign_loads() {
  std::vector<balance::Load*> loads;
  by_key_.clear();
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    balance::Load& load = targets_[i]->load();
    load.position = static_cast<std::uint32_t>(i);
    by_key_.emplace(load.key, i);
    loads.push_back(&load);
  }
  picker_.assign(loads);
}

std::optional<Group::Place> Group::take(std::shared_ptr<balance::Budget> Budgets::* kind) {
  auto of_group = balance::Slot::take(shared_group_->budgets.*kind);
  if (!of_group) return std::nullopt;
  auto of_all = balance::Slot::take(shared_.all.*kind);
  if (!of_all) return std::nullopt;
  return Place{*std::move(of_group), *std::move(of_all)};
}

void Group::judge(Target& target, bool success, Deadline now) {
  balance::OutlierPolicy policy;
  if (config_.outlier) {
    const snapshot::Outlier& config = *config_.outlier;
    policy = {config.failures, config.base, config.most, config.most_share};
  }
  const auto out = [&] {
    const auto at = balance::Vitals::nanos(now);
    return static_cast<std::size_t>(std::ranges::count_if(targets_, [&](const auto& one) {
      return one->vitals().ejected_until.load(std::memory_order_relaxed) > at;
    }));
  };
  if (!balance::judge(target.vitals(), policy, success, now, targets_.size(), out)) return;
  target.metrics().ejected();
  log_warn("target.ejected", {{"group", config_.name}, {"target", target.label()}});
}

std::shared_ptr<Target> Group::pick(std::span<balance::Load* const> tried, Deadline now,
                                    const route::Affinity& affinity) {
  if (affinity.sticky) {
    const auto found = by_key_.find(affinity.sticky);
    if (found != by_key_.end()) {
      const auto& target = targets_[found->second];
      const bool fresh = std::ranges::find(tried, &target->load()) == tried.end();
      if (fresh && target->load().is_well(now)) return target;
    }
  }
  const balance::Load* chosen = picker_.pick({tried, now, affinity.hash});
  return chosen ? targets_[chosen->position] : nullptr;
}

}  // namespace heddle::upstream
