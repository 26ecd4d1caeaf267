#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/base/unique_fd.h"
#include "common/net/ip.h"

namespace heddle::testing {

// A target on loopback with a thread per connection that runs a script. Threads: any.
class Backend {
 public:
  // Called for each accepted connection with its descriptor; the connection closes on return.
  using Script = std::function<void(int fd)>;
  explicit Backend(Script script);
  ~Backend();  // shuts every connection down
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  SocketAddr address() const;
  std::size_t accepted() const { return accepted_.load(); }

 private:
  void run();

  Script script_;
  std::uint16_t port_ = 0;
  UniqueFd listening_;
  std::atomic<std::size_t> accepted_{0};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::vector<int> open_;
  std::vector<std::thread> connections_;
  std::thread acceptor_;
};

// Keeps connections alive; answers each bodiless request with 200 and `body`, and counts them.
Backend::Script answering(std::string body, std::atomic<int>* requests = nullptr);

// Reads a head (until an empty line) from a connection; "" when it closes. `rest` keeps what came
// after it.
std::string read_head(int fd, std::string& rest);

}  // namespace heddle::testing
