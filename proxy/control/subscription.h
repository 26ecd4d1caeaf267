#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "common/async/task.h"
#include "proxy/control/config_store.h"
#include "proxy/control/grpc_stream.h"
#include "proxy/telemetry/metrics.h"

namespace heddle::control {

// The proxy's one conversation with heddled: keeps the Subscribe call up for as long as it runs,
// with back-off between attempts, and turns what heddled says into events for the cores. Sockets
// that a snapshot names and that are not at hand are fetched before it is in force.
// Threads: the executor's.
class Subscription {
 public:
  struct Options {
    std::string proxy_id;
    std::string socket_path;
    std::string version;
    Sockets sockets;         // the listening sockets at hand
    std::uint64_t seed = 0;  // of the back-off's jitter
  };
  // `publish` hands an event to every core, in order.
  Subscription(asio::any_io_executor executor, Options options, telemetry::Metrics& metrics,
               std::function<void(const ConfigEvent&)> publish);
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;

  Task<> run();  // until stop()
  void stop();

  // A connection to this destination waits to be told where it goes.
  void resolve(const SocketAddr& destination);

  bool is_ready() const { return applied_; }  // a snapshot is in force
  std::string describe() const;               // JSON, for people: what is in force
  const auto& groups() const { return store_.groups(); }

 private:
  using Socket = asio::local::stream_protocol::socket;

  Task<Error> converse(Socket& socket);
  Task<> write_output(Socket& socket);
  Task<> receive_message(std::string bytes);
  Task<Result<>> fetch_sockets(const snapshot::Snapshot& snapshot);
  void publish_all(const std::vector<ConfigEvent>& events);
  void send(std::string_view message);
  void arm_expiry();
  void on_expiry();
  void set_connected(int connected);

  Options options_;  // without the sockets: the store has them
  telemetry::Metrics& metrics_;
  const std::function<void(const ConfigEvent&)> publish_;
  ConfigStore store_;
  asio::steady_timer pause_;         // between attempts
  asio::steady_timer output_ready_;  // cancelled when there is something to write
  asio::steady_timer expiry_;
  std::optional<GrpcStream> call_;  // while connected
  Socket* socket_ = nullptr;        // the same
  std::deque<std::string> inbox_;   // of one read: nothing more is read until it is empty
  std::set<SocketAddr> asked_;      // in this call, not answered yet
  std::set<SocketAddr> to_ask_;     // once fewer wait for an answer
  int connected_ = 0;
  bool heard_ = false;  // this call brought a message
  bool applied_ = false;
  bool stopping_ = false;
  std::uint64_t revision_ = 0;
};

}  // namespace heddle::control
