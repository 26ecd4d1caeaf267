// Goal: an engine is told of a node what its file says, and whatever it answers is an error that
// helps. Method: a scripted engine on a socket.
#include "topologies/engine/container/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <chrono>
#include <filesystem>
#include <thread>

#include "tests/support/engine/fake_engine.h"
#include "topologies/engine/container/removal.h"
#include "topologies/engine/container/spec.h"

namespace heddle::container {
namespace {

namespace json = boost::json;
using test::FakeEngine;
using ::testing::HasSubstr;

plan::LabPaths paths_of(const std::string& lab, const std::string& dir = "/tmp/none") {
  return plan::LabPaths(plan::roots_for(dir, "/cgroup"), lab);
}

plan::Member member_of(const std::string& keys) {
  const auto lab = format::parse_lab(
      "name: x\ntopology: {nodes: {o: {runtime: docker, image: a}, n: {runtime: docker, " + keys +
          "}}}\n",
      "f.yml", {});
  EXPECT_TRUE(lab) << lab.error().text();
  const auto plan = plan::plan_lab(*lab, paths_of("x"));
  EXPECT_TRUE(plan);
  return *plan->find("n");
}

json::value spec_of(const std::string& keys) {
  return json::parse(format_spec(member_of(keys), paths_of("x"), "/lab"));
}

TEST(Spec, IsWhatTheFileSays) {
  const json::value spec = spec_of(
      "image: box, cmd: sleep 5, hostname: h, user: nobody, env: {A: b}, binds: [\"d:/d:ro\"], "
      "tmpfs: {/t: size=1m}, sysctls: {net.ipv4.ip_forward: 1}, cpu: 1.5, memory: 64MB, "
      "cpu-set: 0-1, shm-size: 1MB, privileged: false, cap-add: [NET_ADMIN], "
      "devices: [/dev/net/tun], dns: {servers: [10.0.0.1]}, labels: {k: v}");
  const auto text = [&](const char* pointer) { return json::serialize(spec.at_pointer(pointer)); };
  EXPECT_EQ(text("/Image"), R"("box:latest")");
  EXPECT_EQ(text("/Cmd"), R"(["sleep","5"])");
  EXPECT_FALSE(spec.as_object().contains("Entrypoint")) << "the image's own";
  EXPECT_EQ(text("/Hostname"), R"("h")");
  EXPECT_EQ(text("/User"), R"("nobody")");
  EXPECT_EQ(text("/Env"), R"(["A=b","HEDDLE_HOST=n","HEDDLE_LAB=x"])");
  EXPECT_EQ(text("/HostConfig/NetworkMode"), R"("none")");
  EXPECT_EQ(text("/HostConfig/Binds"), R"(["/lab/d:/d:ro"])");
  EXPECT_EQ(text("/HostConfig/Tmpfs"), R"({"/t":"size=1m"})");
  EXPECT_EQ(text("/HostConfig/Sysctls"), R"({"net.ipv4.ip_forward":"1"})");
  EXPECT_EQ(text("/HostConfig/NanoCpus"), "1500000000");
  EXPECT_EQ(text("/HostConfig/Memory"), "67108864");
  EXPECT_EQ(text("/HostConfig/CpusetCpus"), R"("0-1")");
  EXPECT_EQ(text("/HostConfig/Privileged"), "false");
  EXPECT_EQ(text("/HostConfig/Devices/0/PathOnHost"), R"("/dev/net/tun")");
  EXPECT_EQ(text("/HostConfig/Devices/0/PathInContainer"), R"("/dev/net/tun")");
  EXPECT_EQ(text("/HostConfig/Devices/0/CgroupPermissions"), R"("rwm")");
  EXPECT_EQ(text("/HostConfig/Dns"), R"(["10.0.0.1"])");
  EXPECT_EQ(text("/Labels/heddle.lab.run"), "\"" + paths_of("x").run_dir() + "\"");
}

TEST(Spec, AnothersNetworkHasItsNameAndResolver) {
  const json::value spec = spec_of("image: box, network-mode: \"container:o\"");
  EXPECT_EQ(json::serialize(spec.at_pointer("/HostConfig/NetworkMode")),
            "\"container:" + paths_of("x").container("o") + "\"");
  EXPECT_FALSE(spec.as_object().contains("Hostname")) << "engines refuse it";
}

TEST(Spec, NamesOfTwoLabsAreNeverEqual) {
  EXPECT_EQ(paths_of("a-b", "").container("c"), "heddle-lab-a-b.c");
  EXPECT_NE(paths_of("a.b", "").container("c"), paths_of("a", "").container("b.c"));
  EXPECT_NE(paths_of("a", "/one").container("c"), paths_of("a", "/two").container("c"));
  EXPECT_EQ(with_tag("host:5000/box"), "host:5000/box:latest");
  EXPECT_EQ(with_tag("box@sha256:00"), "box@sha256:00");
}

TEST(FindSocket, IsDockerHostsOrDockers) {
  EXPECT_EQ(find_socket({{"DOCKER_HOST", "unix:///x.sock"}}).value(), "/x.sock");
  const auto far = find_socket({{"DOCKER_HOST", "tcp://10.0.0.1:2375"}});
  ASSERT_FALSE(far);
  EXPECT_EQ(far.error().code(), Errc::unsupported);
}

class OfEngine : public ::testing::Test {
 protected:
  void answer(const std::string& part, int status, const std::string& body) {
    fake_.answer(part, FakeEngine::http(status, body));
  }
  static std::string state(const std::string& more, const std::string& labels = "{}") {
    return R"({"Id":")" + FakeEngine::id('a') + R"(","State":{)" + more +
           R"(},"Config":{"Env":["A=b"],"WorkingDir":"/w","Labels":)" + labels + "}}";
  }
  static std::string created() { return R"({"Id":")" + FakeEngine::id('a') + R"("})"; }

  FakeEngine fake_;
  Engine engine_{fake_.socket()};
};

TEST_F(OfEngine, NobodyThereIsACapabilityThatIsMissing) {
  fake_.stop();
  const auto there = engine_.need();
  ASSERT_FALSE(there);
  EXPECT_EQ(there.error().code(), Errc::unsupported);
  EXPECT_THAT(there.error().text(), HasSubstr(fake_.socket()));
  EXPECT_THAT(there.error().text(), HasSubstr("DOCKER_HOST"));
}

TEST_F(OfEngine, ImagesComeByTheirPolicy) {
  format::Container what{.image = "box", .pull = format::Container::Pull::never};
  answer("/images/", 404, R"({"message":"no such image"})");
  const auto absent = engine_.ensure_image(what);
  ASSERT_FALSE(absent);
  EXPECT_THAT(absent.error().text(), HasSubstr("box:latest is not on this machine"));
  // A pull that fails says so in a line of an answer that is fine.
  what.pull = format::Container::Pull::if_not_present;
  answer("/images/create", 200, "{\"status\":\"Pulling\"}\n{\"error\":\"denied: no access\"}\n");
  const auto denied = engine_.ensure_image(what);
  ASSERT_FALSE(denied);
  EXPECT_THAT(denied.error().text(), HasSubstr("pull box:latest: denied: no access"));
  answer("/images/create", 200, "{\"status\":\"Downloaded\"}\n");
  EXPECT_EQ(engine_.ensure_image(what).value(), true);
  answer("/images/box:latest/json", 200, "{}");
  EXPECT_EQ(engine_.ensure_image(what).value(), false);
  what.pull = format::Container::Pull::always;
  EXPECT_EQ(engine_.ensure_image(what).value(), true);
}

TEST_F(OfEngine, AnothersContainerIsLeftAlone) {
  const plan::Member member = member_of("image: box");
  answer("/containers/create", 409, R"({"message":"Conflict"})");
  answer("/json", 200, state(R"("Running":false)"));
  const auto refused = engine_.create(member, paths_of("x"), "/lab");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::exists);
  EXPECT_EQ(fake_.count("force=1"), 0U);
  // Its own of before is made again.
  answer("/json", 200,
         state(R"("Running":false)", R"({"heddle.lab.run":")" + paths_of("x").run_dir() + "\"}"));
  answer("force=1", 204, "");
  (void)engine_.create(member, paths_of("x"), "/lab");
  EXPECT_EQ(fake_.count("force=1"), 1U);
}

TEST_F(OfEngine, OneThatEndsAtOnceSaysWhatItPrinted) {
  answer("/start", 204, "");
  answer("/json", 200, state(R"("Running":false,"ExitCode":127)"));
  answer("/logs", 200, "sh: nothing: not found\r\n");
  const auto started = engine_.start("n");
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().text(), HasSubstr("status 127"));
  EXPECT_THAT(started.error().text(), HasSubstr("sh: nothing: not found"));
}

TEST_F(OfEngine, StateIsWhatItSays) {
  answer("/json", 200, state(R"("Running":true,"Pid":42,"Paused":true)"));
  const auto seen = engine_.inspect("n");
  ASSERT_TRUE(seen) << seen.error().text();
  EXPECT_TRUE(seen->running && seen->paused);
  EXPECT_EQ(seen->pid, 42);
  EXPECT_EQ(seen->env.at("A"), "b");
  EXPECT_EQ(seen->directory, "/w");
}

const OnRemoved kSilent = [](std::size_t, std::size_t, const std::string&) {};

// What destroy does, whoever was killed.
class Removal : public OfEngine {
 protected:
  void SetUp() override {
    dir_ = "/tmp/heddle-removal-" + std::to_string(::getpid());
    ASSERT_TRUE(record_engine(paths(), fake_.socket()));
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  plan::LabPaths paths() const { return paths_of("x", dir_); }
  std::string dir_;
};

TEST_F(Removal, NeedsAnEngineOnlyWhereThereWasOne) {
  EXPECT_EQ(remove_all(paths_of("other", dir_), kSilent).value(), 0U);
}

TEST_F(Removal, NamesWhatMayBeLeft) {
  ASSERT_TRUE(record_asked(paths(), "heddle-lab-x.n"));
  ASSERT_TRUE(record_made(paths(), "heddle-lab-x.n"));
  fake_.stop();
  const auto left = remove_all(paths(), kSilent);
  ASSERT_FALSE(left);
  EXPECT_THAT(left.error().text(), HasSubstr("heddle-lab-x.n"));
  EXPECT_EQ(recorded_engine(paths()), fake_.socket()) << "nothing is forgotten";
}

TEST_F(Removal, WaitsForWhatTheEngineIsStillMaking) {
  ASSERT_TRUE(record_asked(paths(), "heddle-lab-x.n"));
  answer("force=1", 204, "");
  answer("/containers/json", 200, "[]");
  std::thread later([&] {
    while (fake_.count("/containers/json") < 3) std::this_thread::yield();
    answer("/containers/json", 200,
           R"([{"Id":")" + FakeEngine::id('a') + R"(","Names":["/heddle-lab-x.n"]}])");
    while (fake_.count("force=1") == 0) std::this_thread::yield();
    answer("/containers/json", 200, "[]");
  });
  const auto removed = remove_all(paths(), kSilent);
  later.join();
  ASSERT_TRUE(removed) << removed.error().text();
  EXPECT_GE(*removed, 1U);
}

}  // namespace
}  // namespace heddle::container
