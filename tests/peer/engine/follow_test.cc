// Goal: an endpoint follows its container through whatever people and crashes do to it, with the
// real engines: Docker, and Podman's service. Method: two containers without a network of their
// engine's, connected to a bridge; one asks the other.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "tests/peer/engine/world.h"

namespace heddle::peer {
namespace {

using Clock = std::chrono::steady_clock;

class Follow : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const std::string missing = World::missing(GetParam());
    if (!missing.empty()) GTEST_SKIP() << missing;
    world_ = std::make_unique<World>(GetParam());
    host::run("heddle network create --subnet 172.29.7.0/24 app");
    world_->run_box("one");
    world_->run_box("two", "--network none", "httpd -f -p 80 -h /");
  }
  void TearDown() override { world_.reset(); }

  std::string reference(const std::string& name) const { return GetParam() + ":" + name; }
  void connect(const std::string& name, const std::string& flags = "") const {
    host::run("heddle network connect " + flags + " app " + reference(name));
  }
  static std::string refusal(const std::string& command) {
    EXPECT_NE(host::status_of(command), 0) << command;
    return host::run(command + " 2>&1 || true");
  }
  // Of one workload, as `heddle ps` and `network inspect` show it.
  static std::string state_of(const std::string& name) {
    return host::run("heddle ps --format json | jq -r '.[] | select(.name==\"" + name +
                     "\") | .state'");
  }
  static std::string endpoint_of(const std::string& name) {
    return host::run(
        "heddle network inspect app --format json | jq -r '.endpoints[] | "
        "select(.workload_name==\"" +
        name + "\") | .address + \" \" + .mac'");
  }
  bool reaches(const std::string& address) const {
    return world_->exec_works("one", "ping -c 1 -W 1 " + address);
  }
  bool resolves(const std::string& name) const {
    return world_->exec_works("one", "nslookup " + name + ".app.heddle.internal 127.0.0.11");
  }
  // Whether the service has a backend that new connections go to.
  static bool serves() {
    return host::run(
               "heddle service ls --format json | jq '[.[] | select(.name==\"web\") | "
               ".backends[] | select(.state==\"ready\")] | length'") == "1";
  }
  // How long it took from now until the other container is reached.
  void expect_back(const std::string& what, const std::string& address) const {
    const auto begin = Clock::now();
    EXPECT_TRUE(eventually([&] { return reaches(address); })) << what;
    std::printf(
        "%s, %s: reached %lld ms after the command's end\n", GetParam().c_str(), what.c_str(),
        static_cast<long long>(
            std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count()));
  }
  static void expect_as_the_state_says() {
    EXPECT_TRUE(eventually([] { return host::status_of("heddle verify") == 0; }))
        << host::run("heddle verify || true");
  }

  std::unique_ptr<World> world_;
};

TEST_P(Follow, ThroughStopStartRestartKillRenameCrashesAndRemoval) {
  connect("one");
  connect("two", "--ip 172.29.7.77 --service web --port 80 -p 127.0.0.1:8099:80");
  const std::string address = "172.29.7.77";
  const std::string endpoint = endpoint_of("two");
  EXPECT_TRUE(eventually([&] { return reaches(address); }));
  EXPECT_TRUE(eventually([&] { return resolves("two"); }));
  EXPECT_TRUE(eventually([] { return serves(); }));

  world_->engine("stop -t 1 two");
  EXPECT_TRUE(eventually([&] { return state_of("two") == "exited"; }));
  EXPECT_FALSE(reaches(address));
  EXPECT_FALSE(resolves("two"));
  EXPECT_FALSE(serves());
  EXPECT_EQ(endpoint_of("two"), endpoint) << "the address is still its own";
  EXPECT_NE(refusal("heddle network connect app " + reference("two")).find("start it: "),
            std::string::npos);

  world_->engine("start two");
  expect_back("start", address);
  EXPECT_TRUE(eventually([&] { return resolves("two"); }));
  EXPECT_TRUE(eventually([] { return serves(); }));
  EXPECT_EQ(endpoint_of("two"), endpoint);

  world_->engine("restart -t 1 two");
  expect_back("restart", address);
  world_->engine("kill two");
  EXPECT_TRUE(eventually([&] { return state_of("two") == "exited"; }));
  world_->engine("start two");
  expect_back("start after kill", address);
  expect_as_the_state_says();

  world_->engine("rename two other");
  EXPECT_TRUE(eventually([&] { return state_of("other") == "running"; }));
  EXPECT_TRUE(eventually([&] { return resolves("other"); }));
  EXPECT_FALSE(resolves("two"));
  EXPECT_TRUE(reaches(address));
  EXPECT_EQ(endpoint_of("other"), endpoint);

  world_->kill_engine();
  world_->start_engine();
  EXPECT_TRUE(eventually([&] { return reaches(address); }));
  world_->engine("restart -t 1 other");
  expect_back("restart after the engine's", address);
  expect_as_the_state_says();

  world_->kill_heddled();
  EXPECT_TRUE(reaches(address)) << "nobody needs heddled for a packet";
  world_->engine("restart -t 1 other");
  // The namespace of Docker's old run is kept until heddled is back; Podman's are kept by Podman.
  EXPECT_TRUE(reaches(address));
  world_->start_heddled();
  expect_back("heddled's start, the container's restart before", address);
  EXPECT_EQ(endpoint_of("other"), endpoint);
  expect_as_the_state_says();

  world_->engine("rm -f other");
  EXPECT_TRUE(eventually([&] { return state_of("other").empty(); }));
  EXPECT_EQ(endpoint_of("other"), "");
  host::run("heddle network disconnect app " + reference("one"));
  EXPECT_EQ(world_->pins(), "");
  expect_as_the_state_says();
  EXPECT_EQ(host::run("heddle ps --format json | jq length"), "0");
  host::run("heddle network rm app");
}

TEST_P(Follow, RefusesWhatCannotBeConnected) {
  world_->run_box("joined", "--network container:one");
  world_->engine("stop -t 1 two");
  world_->engine("pause one");
  connect("one");
  world_->engine("unpause one");
  EXPECT_TRUE(eventually([&] {  // completion gives up after a second
    return host::run("heddle __complete network connect app " + reference("")) ==
           reference("joined") + "\n" + reference("one");
  })) << "what runs is offered, connected or not";
  const auto said = [&](const std::string& name) {
    return refusal("heddle network connect app " + reference(name));
  };
  EXPECT_NE(said("nobody").find("has no container 'nobody'"), std::string::npos);
  EXPECT_NE(said("two").find("is not running"), std::string::npos) << said("two");
  EXPECT_NE(said("joined").find("shares that of 'one'"), std::string::npos) << said("joined");
  world_->run_box("hosted", "--network host");
  EXPECT_NE(said("hosted").find("has host networking"), std::string::npos) << said("hosted");
  EXPECT_EQ(host::run("heddle ps --format json | jq length"), "1") << "nothing was changed";
  world_->kill_engine();
  EXPECT_NE(said("one").find("does not answer"), std::string::npos) << said("one");
  EXPECT_EQ(host::status_of("heddle network disconnect app " + reference("one")), 0)
      << "that needs no engine";
  EXPECT_EQ(world_->pins(), "");
  world_->start_engine();
}

INSTANTIATE_TEST_SUITE_P(Engines, Follow, testing::Values("docker", "podman"),
                         [](const auto& named) { return named.param; });

}  // namespace
}  // namespace heddle::peer
