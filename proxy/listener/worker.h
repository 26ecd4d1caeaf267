#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/async/task_group.h"
#include "proxy/control/config_store.h"
#include "proxy/listener/core.h"
#include "proxy/listener/listener.h"

namespace heddle::listener {

// One core: its listeners, groups and connections. Threads: all calls on the core's executor.
class Worker {
 public:
  Worker(asio::any_io_executor executor, const Settings& settings, telemetry::Metrics& metrics,
         telemetry::AccessLog& access_log, upstream::Shared& shared, Destinations::Ask ask,
         std::uint64_t seed);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void apply(const control::ConfigEvent& event);

  // Stops accepting, lets requests under way finish until the deadline, then ends the rest.
  // `queue`: who serves what waits in the listeners' queues.
  Task<> drain(Deadline deadline, Listener::Queue queue);

  std::size_t connections() const { return core_.connections; }

 private:
  void apply_listeners(const control::ListenersChanged& event);
  void start(std::shared_ptr<const route::Table> table, const control::Sockets& sockets);
  Task<> run_listener(std::shared_ptr<Listener> listener);

  Core core_;
  std::map<std::string, std::shared_ptr<Listener>> listeners_;
  TaskGroup running_;
  bool draining_ = false;
};

}  // namespace heddle::listener
