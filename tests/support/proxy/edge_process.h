#pragma once
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace heddle::testing {

// A port of 127.0.0.1 that was free a moment ago.
std::uint16_t free_port();

// heddle-proxy from $HEDDLE_BIN on its own, by a configuration file in `directory`. `admin:
// {socket: <directory>/admin.sock}` is added to the file. Killed when destroyed.
class EdgeProcess {
 public:
  // `sockets`: listening ones that are handed over, by address; the caller's.
  EdgeProcess(std::string directory, const std::string& config,
              std::vector<std::string> arguments = {}, std::map<std::string, int> sockets = {});
  ~EdgeProcess();
  EdgeProcess(const EdgeProcess&) = delete;
  EdgeProcess& operator=(const EdgeProcess&) = delete;

  void write(const std::string& config) const;
  std::string file() const { return directory_ + "/edge.yaml"; }

  // `heddle-proxy admin ARGUMENTS`: what it wrote to both outputs, and its exit status.
  struct Said {
    int status = -1;
    std::string text;
  };
  Said admin(const std::string& arguments) const;
  // heddle-proxy with these arguments, until it ends.
  static Said run(const std::string& arguments);

  bool wait_until_ready() const;
  pid_t pid() const { return pid_; }
  int terminate();  // SIGTERM, then its exit status; -1 if it does not end within 15 s

 private:
  const std::string directory_;
  pid_t pid_ = -1;
};

}  // namespace heddle::testing
