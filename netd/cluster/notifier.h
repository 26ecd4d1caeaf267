#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "netd/cluster/cluster.h"

namespace heddle::cluster {

// Calls Events on a thread of its own, one at a time. States that wait are replaced by newer ones,
// so a slow listener hears fewer of them; the queue holds no more than one.
class Notifier {
 public:
  explicit Notifier(Cluster::Events events);
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;
  ~Notifier();  // what waits is not told any more

  void state(SwarmState state);
  void session(bool up);
  void refused(model::Id endpoint, Error error);
  // Runs `save` on this thread soon, at most once a second however often it is asked for.
  void save_soon(std::function<void()> save);
  // Drops what waits; a call under way has returned, unless it is the one that calls this.
  void clear();

 private:
  static constexpr std::chrono::seconds kSaveEvery{1};
  static constexpr std::size_t kMaxRefusals = 1024;  // further ones are in the log alone

  void run();
  bool call_one(std::unique_lock<std::mutex>& lock);

  const Cluster::Events events_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::optional<SwarmState> state_;
  std::optional<bool> session_;
  std::deque<std::pair<model::Id, Error>> refused_;
  std::function<void()> save_;
  std::chrono::steady_clock::time_point next_save_;
  bool calling_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace heddle::cluster
