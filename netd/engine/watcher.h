#pragma once
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "common/base/unique_fd.h"
#include "netd/engine/agenda.h"
#include "netd/engine/client.h"
#include "netd/engine/engines.h"

namespace heddle::engine {

// Follows containers of one engine: subscribes to what happens, then looks at each, again and again
// as the Agenda says. What happened while nobody listened is caught up with: each connection begins
// with a look at everything, and a list every few seconds tells what events missed.
// Threads: its own, asleep while nothing is followed.
class Watcher final {
 public:
  struct Pace {
    std::chrono::milliseconds budget{5000};  // of one request
    std::chrono::milliseconds audit{10000};  // between lists
    std::chrono::milliseconds first_retry{100};
    std::chrono::milliseconds last_retry{5000};
  };
  static Result<std::unique_ptr<Watcher>> start(Engine engine, Pace pace,
                                                Engines::OnSighting on_sighting);
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  Client& client() { return client_; }
  void follow(std::set<std::string> containers);
  std::optional<std::string> trouble();  // what keeps it from following now

 private:
  Watcher(Engine engine, Pace pace, Engines::OnSighting on_sighting, UniqueFd wake, UniqueFd end);
  void run();
  // Until the connection breaks, nothing is followed any more, or the end.
  Result<> follow_while_it_lasts();
  void take_wishes();
  bool is_ending();
  Result<> look();
  Result<> look_at(const std::string& id);
  Result<> read_events(LineStream& events, Deadline until);
  void report(const std::optional<Error>& error);
  void wait(std::chrono::milliseconds delay);

  const Pace pace_;
  const Engines::OnSighting on_sighting_;
  const UniqueFd wake_;  // something changed below
  const UniqueFd end_;
  Client client_;
  Agenda agenda_;      // the thread's own
  std::string since_;  // the last event's time

  std::mutex mutex_;  // guards what follows
  std::optional<std::set<std::string>> wishes_;
  std::optional<std::string> trouble_;
  bool ending_ = false;

  std::thread thread_;
};

// Opens the namespace of a container that runs, and makes sure that it is the container's: the
// engine is asked once more after the process was opened.
// Errors: those of Client and Sandbox; `conflict` when it ended or was started again meanwhile.
Result<Sandbox> enter(Client& client, const Container& container, Deadline deadline);

}  // namespace heddle::engine
