// A second deploy of a lab changes what differs, and nothing else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <thread>

#include "tests/lab/engine/lab_program.h"

namespace heddle {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

class Converge : public LabProgram {
 protected:
  Outcome deploy(const std::string& text, const std::string& flags = "") {
    return in_lab("deploy", flags + " " + write("lab.yml", text));
  }
  std::string pid_of(const std::string& node, const std::string& program) {
    return in_lab("exec", node + " -- pgrep -f " + program).out;
  }
};

// A command that ends when something listens at the port: a program that was started need not.
std::string listening(const std::string& port) {
  return "timeout 20 sh -c 'until ss -Hltn sport = :" + port +
         " | grep -q LISTEN; do sleep 0.05; done'";
}

std::string text_of(const std::string& nodes, const std::string& links) {
  return "name: conv\ntopology:\n  nodes: {" + nodes + "}\n  links: [" + links + "]\n";
}
const std::string kPair = "{endpoints: [\"a:e1\", \"b:e1\"], ipv4: [10.3.0.1/24, 10.3.0.2/24]}";
const std::string kFurther =
    ", {endpoints: [\"b:e2\", \"c:e1\"], ipv4: [10.4.0.1/24, 10.4.0.2/24]}";

TEST_F(Converge, AConnectionLivesThroughAnAddedNodeAndLink) {
  ASSERT_EQ(deploy(text_of("a: , b: ", kPair)).status, 0);
  const auto sink =
      start("lab exec --lab-dir " + dir_ + " b -- heddle-traffic tcp-sink --port 9000");
  EXPECT_EQ(in_lab("exec", "b -- " + listening("9000")).status, 0);
  const auto stream =
      start("lab exec --lab-dir " + dir_ +
            " a -- heddle-traffic tcp-stream --to 10.3.0.2:9000 --duration 4s --fail-on-loss");
  std::this_thread::sleep_for(700ms);
  const Outcome plan = deploy(text_of("a: , b: , c: ", kPair + kFurther), "--dry-run");
  EXPECT_THAT(plan.out, HasSubstr("add c\n  add link b:e2 - c:e1\n"));
  EXPECT_EQ(in_lab("exec", "c -- true").status, 1);  // nothing was done
  const Outcome more = deploy(text_of("a: , b: , c: ", kPair + kFurther));
  EXPECT_EQ(more.status, 0) << more.err;
  EXPECT_EQ(in_lab("exec", "c -- ping -c1 -W2 10.4.0.1").status, 0);
  EXPECT_FALSE(stream->ending()) << stream->output().text << stream->error().text;
  const Outcome less = deploy(text_of("a: , b: ", kPair));
  EXPECT_EQ(less.status, 0) << less.err;
  EXPECT_THAT(in_lab("inspect", "").out, Not(HasSubstr("c:e1")));
  EXPECT_THAT(in_lab("exec", "b -- ip link").out, Not(HasSubstr("e2@")));
  const auto ended = stream->wait(after(20s));
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->exit, 0) << stream->output().text << stream->error().text;
  sink->signal(SIGTERM, process::Child::Reach::group);
  destroy("conv");
}

TEST_F(Converge, AChangedNodeIsMadeAgainAndOthersKeepTheirProcesses) {
  const auto nodes = [](const std::string& time) {
    return "a: {cmd: sleep " + time + "}, b: {cmd: sleep 7777}";
  };
  ASSERT_EQ(deploy(text_of(nodes("5555"), kPair)).status, 0);
  const std::string before = pid_of("b", "\"^sleep 7777\"");
  ASSERT_FALSE(before.empty());
  const Outcome changed = deploy(text_of(nodes("5556"), kPair));
  EXPECT_EQ(changed.status, 0) << changed.err;
  EXPECT_THAT(changed.out, HasSubstr("make again a\n"));
  EXPECT_EQ(pid_of("b", "\"^sleep 7777\""), before);
  EXPECT_EQ(pid_of("a", "\"^sleep 5555\""), "");
  EXPECT_NE(pid_of("a", "\"^sleep 5556\""), "");
  EXPECT_EQ(in_lab("exec", "a -- ping -c1 -W2 10.3.0.2").status, 0);
  destroy("conv");
}

TEST_F(Converge, WhatCannotChangeIsRefusedByNameAndTheLabStays) {
  const std::string hosts = "name: conv\nhosts: {h1: {daemon: false}, h2: {daemon: false}}\n";
  ASSERT_EQ(deploy(hosts).status, 0);
  const Outcome subnet = deploy(hosts + "underlay: {subnet: 10.98.0.0/24}\n");
  EXPECT_EQ(subnet.status, 1);
  EXPECT_THAT(subnet.err, HasSubstr("underlay: subnet, gateway and mtu"));
  const Outcome address = deploy(
      "name: conv\nhosts: {h1: {daemon: false, address: 10.99.0.77}, h2: {daemon: false}}\n");
  EXPECT_EQ(address.status, 1);
  EXPECT_THAT(address.err, HasSubstr("hosts.h1.address: cannot change"));
  EXPECT_EQ(in_lab("exec", "h1 -- ping -c1 -W2 10.99.0.12").status, 0);
  // Files and environment can.
  const Outcome files = deploy(
      "name: conv\nhosts: {h1: {daemon: false, env: {X: now}, files: {f: text}}, "
      "h2: {daemon: false}}\n");
  EXPECT_EQ(files.status, 0) << files.err;
  EXPECT_EQ(in_lab("exec", "h1 -- sh -c 'echo $X; cat $HEDDLE_FILES/f'").out, "now\ntext");
  destroy("conv");
}

TEST_F(Converge, AFailedChangeLeavesWhatWasThereAndCanBeGoneOnFrom) {
  ASSERT_EQ(deploy(text_of("a: , b: ", kPair)).status, 0);
  const Outcome bad = deploy(text_of("a: , b: , c: {exec: [\"exit 3\"]}", kPair + kFurther));
  EXPECT_EQ(bad.status, 1);
  EXPECT_THAT(bad.err, HasSubstr("exec \"exit 3\" ended with status 3"));
  EXPECT_EQ(in_lab("exec", "a -- ping -c1 -W2 10.3.0.2").status, 0);
  EXPECT_EQ(in_lab("exec", "c -- true").status, 1);
  const Outcome good = deploy(text_of("a: , b: , c: ", kPair + kFurther));
  EXPECT_EQ(good.status, 0) << good.err;
  EXPECT_EQ(in_lab("exec", "c -- ping -c1 -W2 10.4.0.1").status, 0);
  destroy("conv");
}

// SIGKILL of the command, and of the lab's daemon, in the middle of a change.
TEST_F(Converge, AChangeKilledInTheMiddleConvergesOrIsTakenAway) {
  std::string nodes = "a: , b: ";
  for (int i = 0; i < 40; ++i) nodes += ", m" + std::to_string(i) + ": {exec: [\"true\"]}";
  for (const auto delay : {20ms, 60ms, 120ms}) {
    ASSERT_EQ(deploy(text_of("a: , b: ", kPair)).status, 0);
    const std::string file = write("more.yml", text_of(nodes, kPair));
    const auto change = start("lab deploy --lab-dir " + dir_ + " " + file);
    std::this_thread::sleep_for(delay);
    change->signal(SIGKILL, process::Child::Reach::process);
    ASSERT_TRUE(change->wait(after(10s)));
    const Outcome again = in_lab("deploy", file);
    EXPECT_EQ(again.status, 0) << again.err;
    EXPECT_EQ(in_lab("exec", "m39 -- true").status, 0);
    const auto back =
        start("lab deploy --lab-dir " + dir_ + " " + write("b.yml", text_of("a: ", "")));
    std::this_thread::sleep_for(delay);
    ::kill(labd_of("conv"), SIGKILL);
    ASSERT_TRUE(back->wait(after(20s)));
    destroy("conv");
  }
}

}  // namespace
}  // namespace heddle
