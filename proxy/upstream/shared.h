#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "proxy/balance/budget.h"
#include "proxy/balance/load.h"
#include "proxy/snapshot/config.h"

namespace heddle::upstream {

// What may be under way at once. Each can be kept by itself.
struct Budgets {
  std::shared_ptr<balance::Budget> connections = std::make_shared<balance::Budget>();
  std::shared_ptr<balance::Budget> pending = std::make_shared<balance::Budget>();
  std::shared_ptr<balance::Budget> requests = std::make_shared<balance::Budget>();
  std::shared_ptr<balance::Budget> retries = std::make_shared<balance::Budget>();

  void set_limits(const snapshot::Limits& limits);
};

// What all cores know of one target group. Threads: any.
class SharedGroup {
 public:
  std::shared_ptr<balance::Vitals> vitals(const std::string& target);

  Budgets budgets;

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<balance::Vitals>> vitals_;
};

// The one thing that cores share beside configuration, metrics and the access log: budgets and how
// targets are, by name. Taking a handle locks, using it does not. Threads: any.
class Shared {
 public:
  std::shared_ptr<SharedGroup> group(const std::string& name);

  Budgets all;  // of all groups together

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<SharedGroup>> groups_;
};

}  // namespace heddle::upstream
