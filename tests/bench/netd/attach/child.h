#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

// Programs that the benchmark starts, in its own namespaces.
namespace heddle::bench {

// A program that runs until this object ends: SIGTERM, after five seconds SIGKILL.
class Child final {
 public:
  Child(const std::vector<std::string>& command, const std::string& log);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();
  pid_t pid() const { return pid_; }
  bool alive() const;

 private:
  pid_t pid_ = -1;
};

// Runs a program to its end with `input` on its standard input; its exit status. What it printed
// goes to `output`.
int run(const std::vector<std::string>& command, const std::vector<std::string>& environment,
        const std::string& input, std::string& output);

// VmRSS of /proc/PID/status, in bytes.
double resident_bytes(pid_t pid);
// Time on a CPU of all its threads that there are now (/proc/PID/task/TID/schedstat).
double cpu_seconds(pid_t pid);

}  // namespace heddle::bench
