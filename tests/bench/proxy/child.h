#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

namespace heddle::bench {

// A program of the benchmark, pinned to one core, killed when destroyed. Its output goes to `log`.
class Child {
 public:
  Child(std::vector<std::string> command, int core, const std::string& log);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  int wait();  // exit status

 private:
  pid_t pid_ = -1;
};

// User and system time of a process and its children, in seconds.
double cpu_seconds(pid_t pid);

std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& content);

}  // namespace heddle::bench
