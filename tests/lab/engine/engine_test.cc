// Labs of plain hosts and nodes, by the program, as a person uses it: what a lab is, that two never
// meet, and that destroy leaves nothing whatever was killed before it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <thread>

#include "tests/lab/engine/lab_program.h"

namespace heddle {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

class Engine : public LabProgram {};

constexpr const char* kTwoHosts = R"(
name: two
hosts: {h1: {daemon: false}, h2: {daemon: false}}
)";

TEST_F(Engine, HostsAndNodesReachEachOtherAndKnowTheirNames) {
  const std::string file = write("a.lab.yml", R"(
name: reach
hosts: {h1: {daemon: false}}
topology:
  nodes: {n1: {underlay: true}, n2: {exec: ["test $(hostname) = n2"]}, br: {kind: bridge}}
  links:
    - {endpoints: ["n1:eth1", "br:1"], ipv4: [192.168.7.1/24]}
    - {endpoints: ["n2:a-very-long-interface-name", "br:2"], ipv4: [192.168.7.2/24], mtu: 1400}
)");
  ASSERT_EQ(in_lab("deploy", file).status, 0);
  EXPECT_EQ(in_lab("exec", "h1 -- ping -c1 -W1 10.99.0.101").status, 0);
  EXPECT_EQ(in_lab("exec", "n1 -- ping -c1 -W1 192.168.7.2").status, 0);
  EXPECT_EQ(in_lab("exec", "n1 -- hostname").out, "n1\n");
  EXPECT_EQ(in_lab("exec", "h1 -- hostname").out, "h1\n");
  // A node's own sysfs shows its own links.
  EXPECT_EQ(in_lab("exec", "n1 -- ls /sys/class/net").out, "eth0\neth1\nlo\n");
  EXPECT_EQ(in_lab("exec", "h1 -- sh -c 'exit 7'").status, 7);
  EXPECT_THAT(in_lab("inspect", "--format json").out, HasSubstr("\"address\":\"10.99.0.11\""));
  destroy("reach");
}

TEST_F(Engine, ADeployedLabIsLeftAloneByItsOwnFileAndNotRunAgain) {
  const std::string file = write("a.lab.yml", kTwoHosts);
  ASSERT_EQ(in_lab("deploy", file).status, 0);
  const int before = labd_of("two");
  const Outcome again = in_lab("deploy", file);
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.out, HasSubstr("nothing to change"));
  const Outcome run = in_lab("run", file);
  EXPECT_EQ(run.status, 1);
  EXPECT_THAT(run.err, HasSubstr("lab two is deployed already"));
  EXPECT_EQ(labd_of("two"), before);
  EXPECT_EQ(in_lab("exec", "h1 -- ping -c1 -W1 10.99.0.12").status, 0);
  destroy("two");
}

TEST_F(Engine, TwoLabsWithEqualAddressesDoNotMeet) {
  ASSERT_EQ(in_lab("deploy", write("a.lab.yml", kTwoHosts)).status, 0);
  ASSERT_EQ(
      in_lab("deploy", write("b.lab.yml", "name: other\nhosts: {h1: {daemon: false}}\n")).status,
      0);
  EXPECT_EQ(in_lab("exec", "--name other h1 -- ping -c1 -W1 10.99.0.12").status, 1);
  EXPECT_EQ(in_lab("exec", "--name two h1 -- ping -c1 -W1 10.99.0.12").status, 0);
  EXPECT_THAT(in_lab("exec", "h1 -- true").err, HasSubstr("choose one with --name"));
  EXPECT_THAT(in_lab("ls", "").out, HasSubstr("other"));
  destroy("two");
  EXPECT_EQ(in_lab("exec", "h1 -- hostname").out, "h1\n");  // the other one lives
  destroy("other");
}

constexpr const char* kImpaired = R"(
name: impaired
hosts: {h1: {daemon: false, impair: {delay: 20ms, jitter: 1ms}}, h2: {daemon: false}}
topology:
  nodes: {a: , b: }
  links: [{endpoints: ["a:eth1", "b:eth1"], ipv4: [10.1.0.1/24, 10.1.0.2/24], impair: {}}]
)";

TEST_F(Engine, LinksAreImpairedCutAndMendedWhileTheLabRuns) {
  const Outcome deployed = in_lab("deploy", write("a.lab.yml", kImpaired));
  ASSERT_EQ(deployed.status, 0) << deployed.err;
  EXPECT_THAT(deployed.out, HasSubstr("link h1:eth0 - underlay:h1: delay by relay"));
  EXPECT_THAT(in_lab("exec", "h1 -- ping -c1 -W5 10.99.0.12").out,
              ::testing::ContainsRegex("time=[4-9][0-9]"));
  EXPECT_EQ(in_lab("exec", "a -- ping -c1 -W5 10.1.0.2").status, 0);

  EXPECT_EQ(in_lab("impair", "a:eth1 --loss 100% --forward").out, "a:eth1: loss 100%, forward\n");
  EXPECT_EQ(in_lab("exec", "a -- ping -c1 -W1 10.1.0.2").status, 1);
  const Outcome shown = in_lab("inspect", "");
  EXPECT_THAT(shown.out, HasSubstr("a:eth1 - b:eth1"));
  EXPECT_THAT(shown.out, ::testing::ContainsRegex("loss 100%, [0-9]+ packets, [0-9]+ lost"));
  EXPECT_THAT(in_lab("inspect", "--format json").out, HasSubstr("\"late_p99_us\":"));
  EXPECT_EQ(in_lab("impair", "b:eth1 --reset").status, 0);
  EXPECT_EQ(in_lab("cut", "b:eth1").status, 0);
  EXPECT_EQ(in_lab("exec", "a -- ping -c1 -W1 10.1.0.2").status, 1);
  EXPECT_EQ(in_lab("mend", "b:eth1").status, 0);
  EXPECT_EQ(in_lab("exec", "a -- ping -c1 -W5 10.1.0.2").status, 0);

  const Outcome unknown = in_lab("cut", "a:eth2");
  EXPECT_EQ(unknown.status, 1);
  EXPECT_THAT(unknown.err, HasSubstr("has no link \"a:eth2\"; did you mean \"a:eth1\"?"));
  EXPECT_EQ(in_lab("impair", "h2 --loss 1%").status, 1);  // no wire
  for (const char* usage : {"", "--loss 2", "--delay 1ms --jitter 2ms", "--clear --loss 1%",
                            "--reset --forward", "--rate 0"})
    EXPECT_EQ(in_lab("impair", std::string("a:eth1 ") + usage).status, 2) << usage;
  destroy("impaired");
}

TEST_F(Engine, AnImpairedLabWhoseDaemonWasKilledLeavesNothing) {
  ASSERT_EQ(in_lab("deploy", write("a.lab.yml", kImpaired)).status, 0);
  ASSERT_EQ(::kill(labd_of("impaired"), SIGKILL), 0);
  destroy("impaired");
}

TEST_F(Engine, DestroyNeedsNeitherFileNorDaemon) {
  const std::string file = write("a.lab.yml", kTwoHosts);
  ASSERT_EQ(in_lab("deploy", file).status, 0);
  fs::remove(file);
  const int labd = labd_of("two");
  ASSERT_GT(labd, 0);
  ::kill(labd, SIGKILL);
  std::this_thread::sleep_for(50ms);
  EXPECT_THAT(in_lab("inspect", "").err, HasSubstr("has lost its heddle-labd"));
  EXPECT_THAT(in_lab("ls", "").out, HasSubstr("destroy it"));
  destroy("two");
  EXPECT_EQ(in_lab("destroy", "--name two").status, 1);
}

TEST_F(Engine, ADeployKilledAtAnyMomentIsTakenAwayWhole) {
  const std::string file = write("a.lab.yml", kTwoHosts);
  for (const auto delay : {0ms, 2ms, 5ms, 10ms, 15ms, 25ms, 50ms}) {
    const auto child = start("lab deploy --lab-dir " + dir_ + " " + file);
    std::this_thread::sleep_for(delay);
    child->signal(SIGKILL, process::Child::Reach::process);
    ASSERT_TRUE(child->wait(after(10s)));
    const Outcome done = in_lab("destroy", "--name two");
    EXPECT_TRUE(done.status == 0 || done.err.find("no lab two is deployed") != std::string::npos)
        << done.err;
    expect_nothing_left("two");
  }
}

TEST_F(Engine, AnInterruptedRunTakesItsLabAway) {
  const std::string file =
      write("a.lab.yml", std::string(kTwoHosts) +
                             "steps: [{name: long, on: h1, run: sleep 1000, timeout: 1000s}]\n");
  const auto child = start("lab run --lab-dir " + dir_ + " " + file);
  const auto paths = lab::locate("two", dir_);
  const auto deadline = after(20s);
  while (process::processes_in(paths->member_cgroup("h1")).empty() &&
         std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(5ms);
  child->signal(SIGINT, process::Child::Reach::process);
  const auto ending = child->wait(after(20s));
  ASSERT_TRUE(ending);
  EXPECT_EQ(ending->exit, 130);
  expect_nothing_left("two");
}

TEST_F(Engine, AFailedRunIsTakenAwayAndSaysWhy) {
  const std::string file =
      write("a.lab.yml",
            std::string(kTwoHosts) + "steps: [{name: no, on: h1, run: 'echo why; false'}]\n");
  const Outcome done = in_lab("run", file);
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.out, HasSubstr("  | why"));
  EXPECT_THAT(done.out, HasSubstr("step 1 of 1 failed, \"no\""));
  expect_nothing_left("two");
  const Outcome json = in_lab("run", file + " --format json");
  EXPECT_THAT(json.out, HasSubstr("\"passed\":false")) << json.status << json.err;
  expect_nothing_left("two");
}

TEST_F(Engine, LongNamesWork) {
  const std::string lab(63, 'l');
  const std::string host(63, 'h');
  const std::string file =
      write("a.lab.yml", "name: " + lab + "\nhosts: {" + host + ": {daemon: false}, " +
                             host.substr(1) + "x: {daemon: false}}\n");
  const Outcome done = in_lab("deploy", file);
  ASSERT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(in_lab("exec", host + " -- ping -c1 -W1 10.99.0.12").status, 0);
  destroy(lab);
}

TEST_F(Engine, APowerCutEndsEverythingOnAHostButItsState) {
  const std::string file = write("a.lab.yml", std::string(kTwoHosts) + R"(
steps:
  - {on: h2, run: 'echo kept > "$HEDDLE_FILES.note"; unshare -m sleep 1000', background: left}
  - {on: h1, run: 'ping -c1 -W1 ${h2.address}'}
  - kill: h2
  - {on: h1, run: 'ping -c1 -W1 ${h2.address}', expect: {exit: 1}}
  - {name: killed with the power, await: left, expect: {exit: 137}}
  - start: h2
  - {on: h1, run: 'ping -c1 -W1 ${h2.address}', eventually: 2s}
  - {on: h2, run: 'cat "$HEDDLE_FILES.note"; rm "$HEDDLE_FILES.note"', expect: {stdout: kept}}
)");
  const Outcome done = in_lab("run", file);
  EXPECT_EQ(done.status, 0) << done.out << done.err;
  expect_nothing_left("two");
}

TEST_F(Engine, BadFilesAreRefusedBeforeAnythingIsDone) {
  const Outcome done = in_lab("deploy", write("a.lab.yml", "name: x\nhots: {}\n"));
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.err, HasSubstr("a.lab.yml:2:1: hots: unknown key; did you mean \"hosts\"?"));
  EXPECT_FALSE(fs::exists(dir_ + "/run"));
  EXPECT_EQ(heddle("lab validate " + dir_ + "/a.lab.yml").status, 1);
  EXPECT_EQ(in_lab("deploy", dir_ + "/none.yml").status, 1);
}

TEST_F(Engine, AFailedDeployLeavesNothing) {
  const Outcome done = in_lab(
      "deploy", write("a.lab.yml", "name: bad\ntopology: {nodes: {n: {exec: [\"exit 9\"]}}}\n"));
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.err, HasSubstr("exec \"exit 9\" ended with status 9"));
  expect_nothing_left("bad");
}

}  // namespace
}  // namespace heddle
