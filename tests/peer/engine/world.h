#pragma once
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>

#include "tests/support/container_engine/container_engine.h"
#include "tests/support/host/private_host.h"
#include "tests/support/real_programs.h"

namespace heddle::peer {

// A host of the test's own with one container engine and a heddled, each of which can be killed and
// started again. Containers are below heddled's cgroup, so that its
// hooks see them.
class World final {
 public:
  explicit World(const std::string& engine);  // docker or podman
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World();

  // Empty, or why this machine cannot.
  static std::string missing(const std::string& engine) { return ContainerEngine::missing(engine); }

  void start_engine() { engine_.start(); }
  void kill_engine() { engine_.kill(); }
  void start_heddled();
  void kill_heddled();

  // `docker ...` or `podman ...`; its output.
  std::string engine(const std::string& arguments) const { return engine_.run(arguments); }
  // A container without a network of the engine's.
  void run_box(const std::string& name, const std::string& rest = "--network none",
               const std::string& command = "sleep 100000") const;
  std::string exec(const std::string& container, const std::string& command) const;
  bool exec_works(const std::string& container, const std::string& command) const;
  std::string pins() const;  // what heddled holds of containers' namespaces

 private:
  ContainerEngine engine_;
  ::pid_t heddled_ = 0;
};

}  // namespace heddle::peer
