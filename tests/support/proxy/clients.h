#pragma once
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace heddle::testing {

// HTTP clients of a port of loopback, each with a thread: they ask without a pause, hold the proxy
// to every answer that they have a right to, and repeat nothing. Threads: one.
class Clients {
 public:
  struct Count {
    std::atomic<int> answered{0};  // with 200
    std::atomic<int> refused{0};   // no connection
    std::atomic<int> lost{0};      // a request without an answer, or with another one
  };
  explicit Clients(std::uint16_t port) : port_(port) {}
  ~Clients() { stop(); }
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  void add_fresh();  // a new connection for each request
  void add_kept();   // one connection until the proxy says that an answer is the last one on it
  void stop();
  // Waits until so many more were answered; false after a minute.
  bool wait_for(int more) const;

  Count count;

 private:
  void add(int requests);
  void use_connection(int requests);

  const std::uint16_t port_;
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> threads_;
};

}  // namespace heddle::testing
