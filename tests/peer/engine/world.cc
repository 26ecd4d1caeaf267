#include "tests/peer/engine/world.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace heddle::peer {

World::World(const std::string& engine) : engine_(engine) {
  std::filesystem::create_directories(engine_.cgroup() + "/heddle");
  ::setenv("HEDDLE_SOCKET", (engine_.directory() + "/run/heddled.sock").c_str(), 1);
  if (engine == "docker") {  // docs/ports.md
    host::run(
        "iptables -I DOCKER-USER -i hdb+ -j ACCEPT && iptables -I DOCKER-USER -o hdb+ -j ACCEPT");
  }
  start_heddled();
}

World::~World() {
  host::status_of(engine_.command() + " rm -f $(" + engine_.command() + " ps -aq)");
  EXPECT_EQ(host::status_of("heddle system reset --force"), 0);
  if (testing::Test::HasFailure()) {
    std::puts(host::run("tail -n 60 " + engine_.directory() + "/heddled.log").c_str());
  }
  EXPECT_TRUE(eventually([&] { return ::waitpid(heddled_, nullptr, WNOHANG) == heddled_; }));
}

void World::start_heddled() {
  heddled_ = engine_.spawn("heddled --state-dir " + engine_.directory() + "/state --run-dir " +
                               engine_.directory() + "/run --cgroup " + engine_.cgroup() +
                               " --name n1 --docker-socket /run/docker.sock",
                           engine_.directory() + "/heddled.log", "heddle");
  EXPECT_TRUE(eventually([] { return host::status_of("heddle system info") == 0; }));
}

void World::kill_heddled() {
  ::kill(heddled_, SIGKILL);
  ::waitpid(heddled_, nullptr, 0);
}

void World::run_box(const std::string& name, const std::string& rest,
                    const std::string& command) const {
  // Podman asks for more files than this machine may have, and does not let containers ping.
  const std::string limits =
      engine_.name() == "podman"
          ? " --cap-add NET_RAW --ulimit nofile=512:512 --ulimit nproc=512:512 --cgroup-parent /" +
                engine_.group() + "/boxes"
          : "";
  engine("run -d --name " + name + limits + " " + rest + " box:1 " + command);
}

std::string World::exec(const std::string& container, const std::string& command) const {
  return engine("exec " + container + " " + command);
}

bool World::exec_works(const std::string& container, const std::string& command) const {
  return host::status_of(engine_.command() + " exec " + container + " " + command) == 0;
}

std::string World::pins() const {
  return host::run("ls " + engine_.directory() + "/run/netns 2>/dev/null || true");
}

}  // namespace heddle::peer
