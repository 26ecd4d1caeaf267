#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "common/net/ip.h"

// A machine of a kernel test's own.
namespace heddle::host {

// Puts the calling thread into a new network namespace and a new mount namespace, in which /tmp is
// empty. Both end with the process (or with the next PrivateHost), however it ends.
// Threads: the calling one, and those it starts later.
class PrivateHost final {
 public:
  PrivateHost();  // aborts the test with the reason when it may not
  PrivateHost(const PrivateHost&) = delete;
  PrivateHost& operator=(const PrivateHost&) = delete;
  ~PrivateHost();

  // The pinned path of a new sandbox.
  std::string add_sandbox(const std::string& name);
  void remove_sandbox(const std::string& path);

  const std::string& directory() const { return directory_; }

 private:
  std::string directory_;
  std::vector<std::string> sandboxes_;
};

// Runs a command with the shell, in the calling thread's namespaces; its output, trimmed.
// A failing command fails the test and prints what it said.
std::string run(const std::string& command);
// The same inside a sandbox.
std::string run_in(const std::string& sandbox, const std::string& command);
// Sends `bytes` over one TCP connection and waits for the server's answer: the client's address as
// the server sees it. Empty, with a failed test, when anything of that fails or takes a minute.
struct TcpExchange {
  std::string client;  // sandboxes
  std::string server;
  SocketAddr address;  // the server's
  std::size_t bytes = 1000;
};
std::string exchange_tcp(const TcpExchange& exchange);

// The exit status; output is dropped.
int status_of(const std::string& command);

}  // namespace heddle::host
