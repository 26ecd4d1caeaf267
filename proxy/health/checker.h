#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <string>

#include "common/async/task_group.h"
#include "proxy/balance/random.h"
#include "proxy/control/config_store.h"
#include "proxy/io/deadline_queue.h"
#include "proxy/upstream/shared.h"

namespace heddle::health {

// Asks the targets of groups that have a check, again and again. A target is well until so many
// checks in a row failed, and then until so many succeeded. Threads: the executor's.
class Checker {
 public:
  Checker(asio::any_io_executor executor, upstream::Shared& shared, std::uint64_t seed);
  Checker(const Checker&) = delete;
  Checker& operator=(const Checker&) = delete;
  ~Checker();

  // Groups come, change and go.
  void apply(const control::ConfigEvent& event);

  Task<> run();  // until stop()
  void stop();

 private:
  struct Watch;
  using Watches = std::map<std::string, std::shared_ptr<Watch>>;  // by target

  void put(const snapshot::TargetGroup& group);
  static void end(Watch& watch);
  Task<> watch_target(std::shared_ptr<Watch> watch);
  Task<bool> is_well(Watch& watch);
  Task<bool> answers(Watch& watch, Deadline deadline);
  std::chrono::milliseconds jittered(std::chrono::milliseconds interval);

  asio::any_io_executor executor_;
  upstream::Shared& shared_;
  balance::Random random_;
  io::DeadlineQueue deadlines_;
  std::map<std::string, Watches> watches_;  // by group
  TaskGroup tasks_;
  asio::steady_timer stopped_;
  bool stopping_ = false;
};

}  // namespace heddle::health
