// A manager that is killed: the test runs this program again as one, in its own network namespace.
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "tests/peer/cluster/swarm_node.h"

namespace heddle::cluster {
namespace {

constexpr char kDirVariable[] = "HEDDLE_TEST_MANAGER_DIR";

// The part that is run by the test below and killed by it.
TEST(KilledManager, DISABLED_Manager) {
  const char* dir = std::getenv(kDirVariable);
  ASSERT_NE(dir, nullptr);
  SwarmNode node("h1", "127.0.1.1", std::string(dir));
  node.open();
  if (node->role() == Cluster::Role::none) {
    ASSERT_TRUE(node.init());
  }
  ASSERT_TRUE(node.wait_session(true));
  if (node.state().networks.empty()) {
    ASSERT_TRUE(node->create_network(draft("app"), {}, soon()));
    ASSERT_TRUE(node.wait([](const SwarmState& state) { return !state.networks.empty(); }));
  }
  std::ofstream(std::string(dir) + "/ready") << "yes";
  for (;;) ::pause();
}

::pid_t start_manager(const std::string& dir) {
  std::filesystem::remove(dir + "/ready");
  ::setenv(kDirVariable, dir.c_str(), 1);
  char* argv[] = {const_cast<char*>("manager"),
                  const_cast<char*>("--gtest_filter=*DISABLED_Manager"),
                  const_cast<char*>("--gtest_also_run_disabled_tests"), nullptr};
  ::pid_t pid = -1;
  EXPECT_EQ(::posix_spawn(&pid, "/proc/self/exe", nullptr, nullptr, argv, environ), 0);
  return pid;
}

// Goal: kill -9 of a manager leaves no etcd behind and loses nothing; the next one is up soon.
TEST(KilledManager, LeavesNoEtcdAndComesBackWithItsSwarm) {
  char path[] = "/tmp/heddle-killed-XXXXXX";
  const std::string dir = ::mkdtemp(path);
  for (int round = 0; round < 3; ++round) {
    std::optional<Step> step(round == 0 ? "start a manager" : "start a killed manager again");
    const ::pid_t pid = start_manager(dir);
    EXPECT_TRUE(wait_for([&] { return std::filesystem::exists(dir + "/ready"); }));
    step.reset();
    EXPECT_EQ(find_etcd(dir).size(), 1u);
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    // The last round looks whether etcd goes by itself; the others start into its going.
    if (round < 2) continue;
    EXPECT_TRUE(wait_for([&] { return find_etcd(dir).empty(); }));
  }
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace heddle::cluster
