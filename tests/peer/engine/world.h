#pragma once
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>

#include "tests/support/host/private_host.h"
#include "tests/support/real_programs.h"

namespace heddle::peer {

// A host of the test's own with one container engine, an image `box` of busybox, and a heddled,
// each of which can be killed and started again. Containers are below heddled's cgroup, so that its
// hooks see them.
class World final {
 public:
  explicit World(const std::string& engine);  // docker or podman
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World();

  // Empty, or why this machine cannot.
  static std::string missing(const std::string& engine);

  void start_engine();
  void kill_engine();
  void start_heddled();
  void kill_heddled();

  // `docker ...` or `podman ...`; its output.
  std::string engine(const std::string& arguments) const;
  // A container without a network of the engine's.
  void run_box(const std::string& name, const std::string& rest = "--network none",
               const std::string& command = "sleep 100000") const;
  std::string exec(const std::string& container, const std::string& command) const;
  bool exec_works(const std::string& container, const std::string& command) const;
  std::string pins() const;  // what heddled holds of containers' namespaces

 private:
  ::pid_t spawn(const std::string& command, const std::string& log,
                const std::string& cgroup) const;
  std::string engine_command() const;

  host::PrivateHost host_;
  std::string name_;
  std::string cgroups_;  // where cgroup2 is mounted
  std::string group_;    // of this test, below it
  ::pid_t engine_ = 0;
  ::pid_t heddled_ = 0;
};

}  // namespace heddle::peer
