#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "netd/mesh/mesh.h"
#include "netd/mesh/pid_file.h"
#include "netd/mesh/sockets.h"
#include "netd/mesh/worker.h"

namespace heddle::mesh {

// Keeps one heddle-proxy process running per wanted proxy.
//
// | unit        | want                      | process ended             | unwant                  |
// |-------------|---------------------------|---------------------------|-------------------------|
// | (none)      | start → running           |                           |                         |
// | adopted     | same place: running,      | forgotten                 | drain                   |
// |             | else drain it and start   |                           |                         |
// | running     | other place: drain it,    | start again after 100 ms  | linger → drain          |
// |             | start another at once     | … 5 s                     |                         |
// | lingering   | running again             | gone                      |                         |
// | draining    | start another at once     | gone: cgroup removed      |                         |
//
// The place is SocketSet::place(): a proxy that runs is given further listeners (SocketServer), but
// neither another namespace nor another metrics socket.
// Lingering (250 ms) covers the moment until the hooks that steer connections here are removed;
// draining is SIGTERM and, after 15 s, SIGKILL.
// Threads: any; starts block for the few milliseconds of a fork.
class Supervisor final {
 public:
  struct Settings {
    std::string dir;  // pid files
    std::string log_dir;
    std::string binary;
    std::string control_socket;
    std::string control_dir;  // set: the proxy gets it opened, as it cannot go there by itself
    std::uint32_t uid = 0;
    std::function<std::string(const model::Id&)> cgroup;
  };
  struct Wanted {
    model::Id id;
    std::string name;
    std::string sandbox;
    unsigned threads = 1;
    std::shared_ptr<const SocketSet> sockets;
    friend bool operator==(const Wanted&, const Wanted&) = default;
  };
  struct Events {
    std::function<void()> on_change;                // of a status
    std::function<void(const model::Id&)> on_gone;  // drained: its sockets are not used any more
  };

  Supervisor(Settings settings, runtime::Processes& processes, Events events);
  ~Supervisor();  // processes go on

  void want(Wanted wanted);
  void unwant(const model::Id& proxy);
  // What an earlier daemon left and nobody wanted until now: drained.
  void unwant_others(const std::vector<model::Id>& wanted);
  // Ends the running process of a proxy whose place is needed (its sockets are lost to us).
  void replace(const model::Id& proxy);

  std::optional<ProxyStatus> status(const model::Id& proxy);
  bool is_process(const model::Id& proxy, std::int64_t pid);
  void acknowledged(const model::Id& proxy, std::int64_t pid, std::uint64_t revision,
                    const std::string& error);

  // Kills all, now. Nothing is started afterwards for what is not wanted again.
  void end_all();

 private:
  struct Unit {
    std::optional<Wanted> wanted;
    std::optional<PidFile> running;
    int draining = 0;  // earlier processes that are ending
    bool lingering = false;
    std::uint64_t round = 0;  // timers of an earlier round are void
    int failures = 0;         // in a row
    std::chrono::steady_clock::time_point started_at;
    std::uint64_t revision = 0;
    std::string problem;
    bool hopeless = false;  // the last start or configuration was refused, not merely interrupted
    bool adopted = false;   // running since before our own start
  };

  void start(const model::Id& proxy, Unit& unit);
  void end_orphans(const model::Id& proxy);
  Result<runtime::ProcessId> launch(const Wanted& wanted);
  void started(const model::Id& proxy, Unit& unit, const runtime::ProcessId& process);
  void failed(const model::Id& proxy, Unit& unit, std::string problem);
  void watch(const model::Id& proxy, const runtime::ProcessId& process);
  void ended(const model::Id& proxy, const runtime::ProcessId& process, int status);
  void drain(const model::Id& proxy, Unit& unit);
  void drained(const model::Id& proxy);
  void erase_if_over(const model::Id& proxy);
  void later(std::chrono::milliseconds delay, const model::Id& proxy, std::uint64_t round,
             std::function<void(Unit&)> work);
  void changed();

  const Settings settings_;
  runtime::Processes& processes_;
  const Events events_;
  std::mutex mutex_;  // guards units_
  std::map<model::Id, Unit> units_;
  // Shared with callbacks of `processes_`, which may come after our end.
  std::shared_ptr<Worker> worker_;
};

}  // namespace heddle::mesh
