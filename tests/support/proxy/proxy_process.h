#pragma once
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/base/unique_fd.h"

namespace heddle::testing {

// A listening TCP socket on 127.0.0.1 with a port of the kernel's choice.
UniqueFd listen_on_loopback(std::uint16_t* port);

// A connected, blocking TCP socket with a receive timeout of 10 s; -1 on failure.
UniqueFd connect_to(std::uint16_t port);
bool send_all(int fd, std::string_view bytes);
// Until the peer closes, or `enough` is in it, or nothing comes for 10 s.
std::string receive(int fd, std::string_view enough = {});
// One request on a new connection, until the proxy closes it.
std::string exchange(std::uint16_t port, std::string_view request);

// heddle-proxy from $HEDDLE_BIN with sockets of its own on loopback, as uid 65534 without
// capabilities when the test is root. Killed when destroyed.
class ProxyProcess {
 public:
  struct Options {
    std::string control_socket;
    std::vector<std::string> sockets = {"web"};  // "metrics" is added
    std::vector<std::string> arguments;
  };
  explicit ProxyProcess(Options options);
  ~ProxyProcess();
  ProxyProcess(const ProxyProcess&) = delete;
  ProxyProcess& operator=(const ProxyProcess&) = delete;

  std::uint16_t port(const std::string& socket) const { return ports_.at(socket); }
  pid_t pid() const { return pid_; }
  int listening_fd(const std::string& socket) const { return sockets_.at(socket).get(); }
  int terminate();  // SIGTERM, then its exit status; -1 if it does not end within 15 s
  // Tells the process to end and starts the next on the same sockets, as the supervisor does.
  // Value: of the former, for wait().
  pid_t replace();
  static int wait(pid_t pid);  // as terminate() without the signal
  std::string metrics() const;
  // The value of the first metric line that starts with `prefix`; -1 if there is none.
  double metric(const std::string& prefix) const;
  bool wait_for_metric(const std::string& prefix, double least,
                       std::chrono::milliseconds budget = std::chrono::seconds(5)) const;

 private:
  void launch();

  std::vector<std::string> arguments_;
  std::map<std::string, UniqueFd> sockets_;
  std::map<std::string, std::uint16_t> ports_;
  pid_t pid_ = -1;
};

}  // namespace heddle::testing
