// Goal: a lab's nodes may be containers of a real engine, beside network namespaces: with links,
// faults, checks and commands as any node, changed by a second deploy, and gone without a trace
// whatever was killed. Method: containerlab files, one engine, busybox.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "tests/support/container_engine/container_engine.h"

namespace heddle::peer {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kFile = R"(
name: boats
runtime: docker
topology:
  # Engines here may have less than all capabilities, which privileged containers need.
  defaults: {image: "box:1", image-pull-policy: Never, privileged: false}
  nodes:
    a:
      cmd: sleep 100000
      hostname: anna
      env: {COLOUR: red}
      binds: ["shared:/shared:ro"]
      labels: {fleet: north}
      cap-add: [SYS_ADMIN, NET_ADMIN]
      exec: ["echo $COLOUR > /colour"]
    b:
      entrypoint: /bin/sh
      cmd: -c 'exec httpd -f -p 80 -h /'
      memory: 64MB
    c: {runtime: netns}
  links:
    - endpoints: ["a:eth1", "b:eth1"]
      ipv4: [10.0.1.1/24, 10.0.1.2/24]
      ipv6: ["fd00:1::1/64", "fd00:1::2/64"]
      impair: {}
    - {endpoints: ["b:eth2", "c:eth1"], ipv4: [10.0.2.2/24, 10.0.2.3/24]}
)";

class LabOfContainers : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const std::string missing = ContainerEngine::missing(GetParam());
    if (!missing.empty()) GTEST_SKIP() << missing;
    engine_ = std::make_unique<ContainerEngine>(GetParam());
    ::setenv("DOCKER_HOST", ("unix://" + engine_->socket()).c_str(), 1);
    std::filesystem::create_directories(directory() + "/shared");
    std::ofstream(directory() + "/shared/note") << "hello\n";
  }
  void TearDown() override {
    if (!engine_) return;
    if (HasFailure())
      std::puts(host::run("tail -n 30 " + directory() + "/labs/run/*/logs/* || true").c_str());
    host::status_of("for lab in " + directory() + "/labs/run/*/; do " + verb("destroy") +
                    " --name $(basename $lab); done");
    engine_.reset();
    ::unsetenv("DOCKER_HOST");
  }

  const std::string& directory() const { return engine_->directory(); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(directory() + "/" + name) << text;
    return directory() + "/" + name;
  }
  std::string verb(const std::string& name) const {
    return "heddle lab " + name + " --lab-dir " + directory() + "/labs";
  }
  std::string lab(const std::string& name, const std::string& rest) const {
    return host::run(verb(name) + " " + rest);
  }
  std::string on(const std::string& node, const std::string& line) const {
    return lab("exec", node + " -- sh -c '" + line + "'");
  }
  bool reaches(const std::string& node, const std::string& address) const {
    return host::status_of(verb("exec") + " " + node + " -- ping -c 1 -W 1 " + address) == 0;
  }
  std::string containers() const { return engine_->run("ps -aq --filter label=heddle.lab"); }
  std::string container(const std::string& node) const {
    return host::run(verb("inspect") + " --format json | jq -r '.members[] | select(.name==\"" +
                     node + "\") | .container'");
  }
  std::string state(const std::string& node) const {
    return host::run(verb("inspect") + " --format json | jq -r '.members[] | select(.name==\"" +
                     node + "\") | .state'");
  }
  void expect_nothing_left() const {
    EXPECT_EQ(containers(), "");
    EXPECT_EQ(host::run("ls -A " + directory() + "/labs/run " + directory() +
                        "/labs/state 2>/dev/null || true"),
              "");
    EXPECT_EQ(host::run("ls -d /sys/fs/cgroup/heddle-lab-boats* /sys/fs/cgroup/*/heddle-lab-boats* "
                        "2>/dev/null || true"),
              "");
    EXPECT_EQ(host::run("ip -o link | grep -v ' lo:' | grep -v docker0 || true"), "");
  }

  std::unique_ptr<ContainerEngine> engine_;
};

TEST_P(LabOfContainers, AreNodesAsTheirFileSays) {
  lab("deploy", write("boats.clab.yml", kFile));
  // Links, also to a node that is none.
  EXPECT_TRUE(reaches("a", "10.0.1.2"));
  EXPECT_TRUE(reaches("a", "fd00:1::2"));
  EXPECT_TRUE(reaches("c", "10.0.2.2"));
  // Commands are inside: its files, host name, environment, processes and cgroup.
  EXPECT_EQ(on("a", "busybox hostname; cat /colour /shared/note; echo $COLOUR $HEDDLE_HOST"),
            "anna\nred\nhello\nred a");
  EXPECT_THAT(on("a", "cat /proc/1/cmdline"), HasSubstr("100000")) << "its own processes";
  EXPECT_NE(host::status_of(verb("exec") + " a -- sh -c \"echo no > /shared/note\""), 0);
  EXPECT_EQ(host::status_of(verb("exec") + " a -- sh -c \"exit 7\""), 7);
  EXPECT_NE(host::status_of(verb("exec") + " a -- bash"), 0) << "the image has none";
  // What may be done there is what the container may.
  EXPECT_EQ(host::status_of(verb("exec") + " a -- busybox mount -t tmpfs x /tmp"), 0);
  EXPECT_NE(host::status_of(verb("exec") + " b -- busybox mount -t tmpfs x /tmp"), 0);
  // The engine's side.
  const std::string a = container("a");
  EXPECT_EQ(
      engine_->run("inspect -f '{{.HostConfig.NetworkMode}} {{.HostConfig.Privileged}}' " + a),
      "none false");
  EXPECT_EQ(engine_->run("inspect -f '{{index .Config.Labels \"fleet\"}}' " + a), "north");
  EXPECT_EQ(engine_->run("inspect -f '{{.HostConfig.Memory}}' " + container("b")), "67108864");
  // A capture and live changes are as on any link.
  lab("cut", "a:eth1");
  EXPECT_FALSE(reaches("a", "10.0.1.2"));
  lab("mend", "a:eth1");
  EXPECT_TRUE(eventually([&] { return reaches("a", "10.0.1.2"); }));
  lab("impair", "a:eth1 --loss 100%");
  EXPECT_FALSE(reaches("a", "10.0.1.2"));
  lab("destroy", "--name boats");
  expect_nothing_left();
}

// A scenario over containers and a namespace: checks look from their networks, faults hit them.
constexpr const char* kRun = R"(
seed: 3
fidelity: {max-delay-error: 60s, max-stall: 60s}
steps:
  - {name: a background command, on: a, run: "exec sleep 1000", background: sleeper}
  - {name: it is the container's, on: a, run: "busybox ps | busybox grep '[s]leep 1000'"}
  - {name: the file stays, on: b, run: "echo kept > /kept"}
  - faults: run
  - {name: after a power cut its files are there, on: b, run: "cat /kept", expect: {stdout: kept}}
  - {stop: sleeper, expect: {exit: any}}
faults:
  - {at: 300ms, cut: "a:eth1", for: 500ms}
  - {at: 1s, pause: b, for: 700ms}
  - {at: 2s, kill: b, for: 1s}
  - {at: 3500ms, impair: {link: "a:eth1", loss: 100%}, for: 500ms}
checks:
  - {name: b serves a, on: a, http: {url: "http://10.0.1.2/", contains: hello}, sometimes: true}
  - {name: b serves a in the end, on: a, http: "http://10.0.1.2/", eventually: 20s}
  - {name: b answers c in the end, on: c, ping: 10.0.2.2, eventually: 20s}
  - {name: a asks as itself, on: a, exec: "test \"$COLOUR\" = red", eventually: 20s}
)";

TEST_P(LabOfContainers, RunThroughFaultsAndChecks) {
  const std::string file = write("boats.clab.yml", std::string(kFile) + kRun);
  const std::string report = host::run(verb("run") + " --format json " + file);
  EXPECT_THAT(report, HasSubstr("\"passed\":true"));
  expect_nothing_left();
}

TEST_P(LabOfContainers, ChangeWhereTheirFileDoes) {
  const std::string file = write("boats.clab.yml", kFile);
  lab("deploy", file);
  const std::string a = engine_->run("inspect -f '{{.Id}}' " + container("a"));
  const std::string b = engine_->run("inspect -f '{{.Id}}' " + container("b"));
  EXPECT_THAT(lab("deploy", file), HasSubstr("nothing to change"));
  std::string other = kFile;
  other.replace(other.find("64MB"), 4, "32MB");
  write("boats.clab.yml", other);
  EXPECT_THAT(lab("deploy", "--dry-run " + file), HasSubstr("make again b"));
  lab("deploy", file);
  EXPECT_EQ(engine_->run("inspect -f '{{.Id}}' " + container("a")), a);
  EXPECT_NE(engine_->run("inspect -f '{{.Id}}' " + container("b")), b);
  EXPECT_TRUE(reaches("a", "10.0.1.2"));
  EXPECT_TRUE(reaches("c", "10.0.2.2"));
  // The same file with everything a namespace.
  lab("deploy", "--runtime netns " + write("plain.clab.yml",
                                           "name: plain\nruntime: docker\n"
                                           "topology: {nodes: {n: {image: box:1}}}\n"));
  EXPECT_EQ(
      host::run(verb("inspect") + " --name plain --format json | jq -r '.members[0].container'"),
      "");
  lab("destroy", "--name plain");
  // One that ends by itself is told of, and can be started.
  engine_->run("kill " + container("a"));
  EXPECT_TRUE(eventually([&] { return state("a") == "ended"; }));
  EXPECT_THAT(lab("events", ""), HasSubstr("its container, with status 137"));
  EXPECT_NE(host::status_of(verb("exec") + " a -- true"), 0);
  lab("destroy", "--name boats");
  expect_nothing_left();
}

TEST_P(LabOfContainers, LeaveNothingWhateverIsKilled) {
  const std::string file = write("boats.clab.yml", kFile);
  lab("deploy", file);
  const std::string labd = host::run(verb("inspect") + " --format json | jq -r .daemon_pid");
  ASSERT_EQ(::kill(std::stoi(labd), SIGKILL), 0);
  // An engine that is away: what is left is named, and nothing of it forgotten.
  engine_->kill();
  const std::string refused = host::run(verb("destroy") + " --name boats 2>&1 || true");
  EXPECT_THAT(refused, HasSubstr("may be left"));
  EXPECT_THAT(refused, HasSubstr(".a"));
  engine_->start();
  lab("destroy", "--name boats");
  expect_nothing_left();
  // In the middle of a deploy, at several moments.
  for (const char* moment : {"0.2", "0.5", "1"}) {
    host::status_of("timeout -s KILL " + std::string(moment) + " " + verb("deploy") + " " + file);
    host::run(
        "pids=$(cat $(find /sys/fs/cgroup -path '*heddle-lab-boats*' -name cgroup.procs) "
        "/dev/null); [ -z \"$pids\" ] || kill -9 $pids; true");
    host::status_of(verb("destroy") + " --name boats");
    expect_nothing_left();
  }
}

TEST_P(LabOfContainers, WithoutAnEngineAreACapabilityThatIsMissing) {
  const std::string file = write("boats.clab.yml", kFile);
  ::setenv("DOCKER_HOST", "unix:///run/nobody.sock", 1);
  const std::string said = host::run(verb("run") + " " + file + " 2>&1; echo status $?");
  EXPECT_THAT(said, HasSubstr("status 4"));
  EXPECT_THAT(said, HasSubstr("/run/nobody.sock"));
  EXPECT_THAT(host::run(verb("deploy") + " " + file + " 2>&1 || true"), HasSubstr("start it"));
  ::setenv("DOCKER_HOST", "tcp://10.0.0.1:2375", 1);
  EXPECT_THAT(host::run(verb("deploy") + " " + file + " 2>&1 || true"), HasSubstr("unix socket"));
  ::setenv("DOCKER_HOST", ("unix://" + engine_->socket()).c_str(), 1);
  // An image that is not there, and a command that ends at once.
  std::string other = kFile;
  other.replace(other.find("box:1"), 5, "box:2");
  EXPECT_THAT(host::run(verb("deploy") + " " + write("o.clab.yml", other) + " 2>&1 || true"),
              HasSubstr("image box:2 is not on this machine"));
  other = kFile;
  other.replace(other.find("sleep 100000"), 12, "cat /nothing");
  EXPECT_THAT(host::run(verb("deploy") + " " + write("o.clab.yml", other) + " 2>&1 || true"),
              HasSubstr("/nothing"));
  expect_nothing_left();
}

INSTANTIATE_TEST_SUITE_P(Engines, LabOfContainers, testing::Values("docker"),
                         [](const auto& engine) { return engine.param; });

}  // namespace
}  // namespace heddle::peer
