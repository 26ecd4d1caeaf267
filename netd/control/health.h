#pragma once
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/net/ip.h"
#include "netd/model/objects.h"

namespace heddle::control {

// Asks workloads of this node whether they accept TCP connections, from inside their own namespace:
// every 100 ms until they do, every 2 s from then on. Two refusals in a row make one unhealthy.
// Threads: its own, asleep while there is nothing to check; set_checks() from any; `on_change` is
//          called on its thread and must only hand over.
class Health {
 public:
  // Whether an endpoint's ports decide that it is ready: a backend with a TCP port. Others are
  // ready when their workload runs (UDP has no answer to wait for).
  static bool decides(const model::Endpoint& endpoint);

  struct Check {
    model::Id endpoint;
    std::string sandbox;            // network namespace path
    std::vector<SocketAddr> ports;  // all must accept
    friend bool operator==(const Check&, const Check&) = default;
  };
  using OnChange = std::function<void(model::Id endpoint, bool healthy)>;

  explicit Health(OnChange on_change);
  ~Health();
  Health(const Health&) = delete;
  Health& operator=(const Health&) = delete;

  // New checks begin unhealthy, which is not reported; equal ones keep their state.
  void set_checks(std::vector<Check> checks);
  void set_check(Check check);                 // one of them; the others stay
  void drop_check(const model::Id& endpoint);  // absence is fine
  // Forgets what is known of one: its process ended or was started again.
  void restart_check(const model::Id& endpoint);

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct State {
    Check check;
    Time due;
    bool healthy = false;
    int failures = 0;
    std::uint64_t generation = 0;
  };
  void run();

  OnChange on_change_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<model::Id, State> states_;
  std::uint64_t generation_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace heddle::control
