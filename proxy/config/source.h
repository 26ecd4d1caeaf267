#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "common/async/task.h"
#include "proxy/config/edge.h"
#include "proxy/config/names.h"
#include "proxy/control/config_store.h"
#include "proxy/telemetry/metrics.h"

namespace heddle::config {

// The configuration of a proxy that runs on its own: a file, read at the start and whenever told
// to, and the addresses of the names in it, looked up again and again. A file that is refused
// changes nothing; a name that cannot be resolved keeps the addresses that it had.
// Reading and resolving block, and do so on threads of their own. Threads: the executor's.
class FileSource {
 public:
  struct Options {
    std::string path;
    control::Sockets sockets;  // listening ones at hand, by address; others are bound here
    Lookup look_up = config::look_up;
  };
  // `publish` hands an event to every core, in order.
  FileSource(asio::any_io_executor executor, Options options, telemetry::Metrics& metrics,
             std::function<void(const control::ConfigEvent&)> publish);
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;
  ~FileSource();  // waits for a lookup that is under way

  // Puts a first configuration in force; its names have no targets until they are resolved.
  // Errors: an address that cannot be bound.
  Result<> start(Edge edge);
  // Reads the file again. The old configuration stays in force until all of the new one is known,
  // its names too. Errors: those of load_edge, an address that cannot be bound; then nothing
  // changed.
  Task<Result<>> reload();
  void stop();

  // Called with each configuration that comes in force.
  std::function<void(const Edge&)> on_applied = [](const Edge&) {};

  bool is_ready() const { return ready_; }  // in force, and every name was asked for once
  std::string describe() const;             // JSON, for people: what is in force
  const Edge& edge() const { return edge_; }
  const auto& groups() const { return store_.groups(); }

 private:
  struct Found;
  struct Reload;

  Result<> apply(Edge edge);
  Result<> bind_missing(const snapshot::Snapshot& snapshot);
  void keep_leaving(const control::Sockets& before);
  void load(std::shared_ptr<Reload> into);
  void take(const Found& found);
  void refresh();
  void apply_names();
  void arm();
  void publish_all(const std::vector<control::ConfigEvent>& events);
  static Found find_all(const std::set<std::string>& names, const Lookup& look_up);

  const asio::any_io_executor executor_;
  const std::string path_;
  const Lookup look_up_;
  telemetry::Metrics& metrics_;
  const std::function<void(const control::ConfigEvent&)> publish_;
  control::ConfigStore store_;
  Edge edge_;
  Addresses addresses_;            // last good ones
  std::set<std::string> failing_;  // names, so that each failure is told once
  control::Sockets leaving_;       // of listeners that were dropped a moment ago
  std::shared_ptr<Reload> last_;
  asio::steady_timer again_;
  asio::steady_timer left_;
  std::uint64_t revision_ = 0;
  bool ready_ = false;
  bool stopping_ = false;
  asio::thread_pool blocking_{2};  // last: its threads end before what they use
};

}  // namespace heddle::config
