#pragma once
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <optional>
#include <vector>

#include "common/async/task_group.h"
#include "proxy/balance/budget.h"
#include "proxy/http2/transport.h"
#include "proxy/io/stream.h"

namespace heddle::upstream {

class Http2Stream;

// A connection to a target that speaks HTTP/2, for many requests at a time. Lives as long as run()
// or a stream holds it. Threads: the core's.
class Http2Connection final : private http2::Session::Handler {
 public:
  // A new connection may be waited for by as many as one is expected to take.
  static constexpr std::size_t kMostStreams = 100;
  // As connections of HTTP/1: Target::kIdleTimeout.
  static constexpr std::chrono::seconds kIdleTimeout{55};

  Http2Connection(asio::any_io_executor executor, io::DeadlineQueue& deadlines,
                  const http2::Limits& limits);
  ~Http2Connection();

  // Connects, then serves until the connection is over.
  static Task<> run(std::shared_ptr<Http2Connection> self, asio::ip::tcp::endpoint peer,
                    Deadline deadline);

  bool is_open() const { return state_ == State::open; }
  bool is_over() const { return state_ == State::over; }
  bool has_room() const;
  // Places in the budgets of connections, until it is over.
  void hold(balance::Slot of_group, balance::Slot of_all) {
    group_slot_ = std::move(of_group);
    slot_ = std::move(of_all);
  }
  // No new streams; ends with the last one.
  void retire();
  const std::optional<Error>& connect_error() const { return connect_error_; }

 private:
  friend class Http2Stream;
  enum class State { connecting, open, over };

  Task<> serve();
  void stream_left();
  void wake_waiting();
  // See Lease::Patience.
  void set_patience(bool patient);

  std::unique_ptr<http2::Stream> make_stream() override { return nullptr; }
  void on_request(std::unique_ptr<http2::Stream>) override {}
  void on_goaway() override { retired_ = true; }
  void on_shutdown_read() override {}
  void on_flood(http2::Flood) override {}
  void on_output() override { transport_.wake(); }

  const asio::any_io_executor executor_;
  const http2::Limits& limits_;
  io::Stream stream_;
  io::ReadBuffer in_;
  http2::Session session_;
  http2::Transport transport_;
  State state_ = State::connecting;
  std::optional<Error> connect_error_;
  std::size_t users_ = 0;              // streams, opened or about to be
  std::vector<Http2Stream*> waiting_;  // for the connection
  Deadline quiet_since_;
  bool retired_ = false;
  bool patient_ = true;
  balance::Slot group_slot_;
  balance::Slot slot_;
};

}  // namespace heddle::upstream
