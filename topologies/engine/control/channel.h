#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "topologies/engine/control/message.h"

namespace heddle::control {

// One frame: its length in 4 bytes, then the bytes.
// Errors: `invalid` past `max_bytes`; `timeout`; `unavailable` when the other side has gone.
Result<std::string> read_frame(int fd, std::size_t max_bytes, Deadline deadline);
Result<> write_frame(int fd, std::string_view text, Deadline deadline);

// Asks a heddle-labd. Threads: any; each call has a connection of its own.
class Client final {
 public:
  explicit Client(std::string socket) : socket_(std::move(socket)) {}

  // The reply's error, if it has one, becomes the result's.
  // Errors also: `unavailable` when nobody listens, `timeout` past the request's own and a margin.
  Result<Reply> ask(const Request& request) const;
  bool answers() const;

 private:
  std::string socket_;
};

// Answers clients on a unix socket, each connection on a thread of its own, at most kMaxClients at
// once: more are told so. `handle` runs on those threads.
class Server final {
 public:
  static constexpr int kMaxClients = 64;
  // Tells a long-running handler that nobody waits for its answer any more.
  using Gone = std::function<bool()>;
  using Handle = std::function<Reply(const Request& request, const Gone& gone)>;

  static Result<std::unique_ptr<Server>> listen(const std::string& socket, Handle handle);
  void run();  // until the program ends

 private:
  Server(UniqueFd listener, Handle handle);
  void serve(UniqueFd connection);
  UniqueFd listener_;
  Handle handle_;
  std::atomic<int> clients_{0};
};

}  // namespace heddle::control
