#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "proxy/balance/picker.h"
#include "proxy/balance/retry_budget.h"
#include "proxy/route/affinity.h"
#include "proxy/telemetry/metrics.h"
#include "proxy/upstream/shared.h"
#include "proxy/upstream/target.h"

namespace heddle::upstream {

// A target group on one core. Targets keep their load and connections across configurations as long
// as id and address stay. Threads: the core's.
class Group {
 public:
  Group(snapshot::TargetGroup config, telemetry::Metrics& metrics, Shared& shared,
        io::DeadlineQueue& deadlines, std::uint64_t seed);
  ~Group();
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  void apply(snapshot::TargetGroup config);
  const snapshot::TargetGroup& config() const { return config_; }
  telemetry::ServiceMetrics& metrics() { return *service_metrics_; }
  balance::RetryBudget& retries() { return retries_; }

  // A place in the budgets of this group and of all; nullopt when one of them is used up.
  struct Place {
    balance::Slot of_group;
    balance::Slot of_all;
  };
  std::optional<Place> take(std::shared_ptr<balance::Budget> Budgets::* kind);

  // An answer came from a target, or failed to: what that says of it. Ejects it when the group's
  // policy says so.
  void judge(Target& target, bool success, Deadline now);

  // A ready target that is not among `tried`, the one of `affinity` if that is well; nullptr if
  // none.
  std::shared_ptr<Target> pick(std::span<balance::Load* const> tried, Deadline now,
                               const route::Affinity& affinity = {});

 private:
  void assign_loads();

  snapshot::TargetGroup config_;
  telemetry::Metrics& metrics_;
  Shared& shared_;
  const std::shared_ptr<SharedGroup> shared_group_;
  io::DeadlineQueue& deadlines_;
  const std::uint64_t seed_;
  std::shared_ptr<telemetry::ServiceMetrics> service_metrics_;
  balance::Picker picker_;
  balance::RetryBudget retries_;
  std::vector<std::shared_ptr<Target>> targets_;
  std::unordered_map<std::uint64_t, std::size_t> by_key_;  // positions of targets
  bool begun_ = false;                                     // who comes later starts slowly
};

}  // namespace heddle::upstream
