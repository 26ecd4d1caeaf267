// The commands around a deployed lab: what goes over its links, what happened to it, how it looks,
// and itself as a file.
#include <signal.h>

#include <cstring>
#include <thread>

#include "tests/lab/engine/lab_program.h"

namespace heddle {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

constexpr const char* kLab = R"(
name: verbs
hosts: {h1: {daemon: false}, h2: {daemon: false}}
topology:
  nodes: {n1: {}, n2: {}, sw: {kind: bridge}}
  links:
    - {endpoints: ["n1:eth1", "sw:p1"], ipv4: [192.168.7.1/24]}
    - {endpoints: ["n2:eth1", "sw:p2"], ipv4: [192.168.7.2/24]}
    - {endpoints: ["n1:eth2", "n2:eth2"]}
)";

struct Captured {
  std::vector<std::string> packets;
  std::vector<std::uint64_t> times_ns;
  bool whole = false;  // it ends with its totals
};

std::uint32_t word(const std::string& bytes, std::size_t at) {
  std::uint32_t value = 0;
  if (at + sizeof value <= bytes.size()) std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

Captured read_pcapng(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  const std::string file = text.str();
  Captured out;
  for (std::size_t at = 0; at + 12 <= file.size();) {
    const std::uint32_t type = word(file, at);
    const std::uint32_t length = word(file, at + 4);
    if (length < 12 || at + length > file.size()) return {};
    out.whole = type == 5;
    if (type == 6) {
      out.packets.push_back(file.substr(at + 28, word(file, at + 20)));
      out.times_ns.push_back(std::uint64_t{word(file, at + 12)} << 32 | word(file, at + 16));
    }
    at += length;
  }
  return out;
}

bool is_ping(const std::string& packet) {
  return packet.size() > 34 && packet.substr(12, 2) == std::string("\x08\x00", 2) &&
         packet[23] == 1;
}

class Verbs : public LabProgram {
 protected:
  void deploy() {
    const Outcome done = in_lab("deploy", write("a.lab.yml", kLab));
    ASSERT_EQ(done.status, 0) << done.err;
  }
  // Started, and seeing packets.
  std::shared_ptr<process::Child> capture(const std::string& arguments) {
    auto child = start("lab capture --lab-dir " + dir_ + " " + arguments);
    wait_for(*child, "capturing");
    return child;
  }
  static void wait_for(process::Child& child, const std::string& text) {
    const auto deadline = after(20s);
    while (child.error().text.find(text) == std::string::npos &&
           child.output().text.find(text) == std::string::npos) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << child.error().text;
      ASSERT_FALSE(child.ending()) << child.error().text;
      std::this_thread::sleep_for(5ms);
    }
    std::this_thread::sleep_for(50ms);  // said just before its first look
  }
  control::Reply ask(const control::Request& request) {
    auto reply = control::Client(lab::locate("verbs", dir_)->socket()).ask(request);
    EXPECT_TRUE(reply) << reply.error().text();
    return reply ? *std::move(reply) : control::Reply{};
  }
  // What tcpdump makes of a file; empty without tcpdump.
  std::string tcpdump(const std::string& file) {
    process::SpawnRequest request;
    request.command = {"/bin/sh", "-c", "tcpdump -n -e -r " + file + " 2>&1 || :"};
    request.env = {{"PATH", std::string(std::getenv("PATH")) + ":/usr/sbin:/sbin"}};
    auto child = supervisor().start(request, process::Supervisor::Streams::capture);
    EXPECT_TRUE((*child)->wait(after(20s)));
    return (*child)->output().text;
  }
};

TEST_F(Verbs, ACaptureHasWhatGoesOverALinkBothWays) {
  deploy();
  const std::string before = in_lab("exec", "h1 -- ip -d link").out;
  const std::string file = dir_ + "/h1.pcapng";
  const auto child = capture("h1 -o " + file);
  EXPECT_EQ(in_lab("exec", "h1 -- ip -d link").out, before);  // promiscuity, too
  EXPECT_EQ(in_lab("exec", "h2 -- ping -c3 -i0.2 -W1 10.99.0.11").status, 0);
  child->signal(SIGINT, process::Child::Reach::process);
  const auto ending = child->wait(after(20s));
  ASSERT_TRUE(ending);
  EXPECT_EQ(ending->exit, 0);
  EXPECT_THAT(child->error().text, HasSubstr("packets captured, 0 dropped"));
  const Captured captured = read_pcapng(file);
  EXPECT_TRUE(captured.whole);
  EXPECT_EQ(std::ranges::count_if(captured.packets, is_ping), 6);
  EXPECT_TRUE(std::ranges::is_sorted(captured.times_ns));
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  EXPECT_NEAR(static_cast<double>(captured.times_ns.front()),
              static_cast<double>(std::chrono::nanoseconds(now).count()), 120e9);
  EXPECT_THAT(tcpdump(file),
              testing::AnyOf(HasSubstr("not found"),
                             AllOf(HasSubstr("ICMP echo request"), HasSubstr("ICMP echo reply"))));
}

TEST_F(Verbs, ACaptureEndsAtItsCountAndKeepsSoMuchOfAPacket) {
  deploy();
  const std::string file = dir_ + "/n1.pcapng";
  const auto child = capture("n1:eth1 --count 2 --snaplen 64 > " + file);  // a pipe or file, too
  EXPECT_EQ(in_lab("exec", "n2 -- ping -c3 -i0.2 -s 400 -W1 192.168.7.1").status, 0);
  ASSERT_TRUE(child->wait(after(20s)));
  const Captured captured = read_pcapng(file);
  EXPECT_TRUE(captured.whole);
  ASSERT_EQ(captured.packets.size(), 2U);
  for (const std::string& packet : captured.packets) EXPECT_LE(packet.size(), 64U);
}

TEST_F(Verbs, ABridgesPortCanBeCapturedAndATimeEndsIt) {
  deploy();
  const std::string file = dir_ + "/sw.pcapng";
  const auto child = capture("sw:p2 --time 2s -o " + file);
  EXPECT_EQ(in_lab("exec", "n1 -- ping -c1 -W1 192.168.7.2").status, 0);
  const auto ending = child->wait(after(20s));
  ASSERT_TRUE(ending);
  EXPECT_GE(ending->time, 2s);
  EXPECT_EQ(std::ranges::count_if(read_pcapng(file).packets, is_ping), 2);
}

// The kernel takes the tag out of the packet; a reader expects it in its place.
TEST_F(Verbs, VlanTagsAreWhereTheyWere) {
  deploy();
  const std::string file = dir_ + "/vlan.pcapng";
  const auto child = capture("n2:eth2 -o " + file);
  // VLAN 7 with priority 3, and an EtherType for experiments (IEEE 802).
  const std::string frame = write("frame.py", R"(
import socket
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(("eth2", 0))
raw.send(b"\xff" * 6 + b"\x02\0\0\0\0\x01" + b"\x81\0\x60\x07" + b"\x88\xb5" + b"x" * 60)
)");
  EXPECT_EQ(in_lab("exec", "n1 -- python3 " + frame).status, 0);
  child->signal(SIGTERM, process::Child::Reach::process);
  ASSERT_TRUE(child->wait(after(20s)));
  int tagged = 0;
  for (const std::string& packet : read_pcapng(file).packets) {
    tagged +=
        packet.size() == 78 && packet.substr(12, 7) == std::string("\x81\x00\x60\x07\x88\xb5x", 7);
  }
  EXPECT_EQ(tagged, 1);
}

TEST_F(Verbs, ACaptureOfALinkThatIsTakenAwayEndsWell) {
  deploy();
  const std::string file = dir_ + "/gone.pcapng";
  const auto child = capture("n1:eth1 -o " + file);
  ASSERT_EQ(in_lab("destroy", "--name verbs").status, 0);
  const auto ending = child->wait(after(20s));
  ASSERT_TRUE(ending);
  EXPECT_EQ(ending->exit, 0);
  EXPECT_THAT(child->error().text, HasSubstr("the link is gone"));
  EXPECT_TRUE(read_pcapng(file).whole);
}

TEST_F(Verbs, LinksThatAreNoneAreRefusedWithTheNearest) {
  deploy();
  EXPECT_THAT(in_lab("capture", "h3 -o x").err, HasSubstr("did you mean \"h1\"?"));
  EXPECT_THAT(in_lab("capture", "h1:eth7 -o x").err,
              HasSubstr("h1 has no interface \"eth7\"; did you mean \"eth0\"?"));
  EXPECT_THAT(in_lab("capture", "n1 -o x").err,
              HasSubstr("not joined to the underlay; name its interface: n1:eth1, n1:eth2"));
  EXPECT_THAT(in_lab("capture", "sw:p9 -o x").err, HasSubstr("no bridge of that name"));
  EXPECT_EQ(in_lab("capture", "h1 --snaplen 3 -o x").status, 2);
  EXPECT_EQ(in_lab("capture", "h1 --time 3 -o x").status, 2);
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/x"));
}

TEST_F(Verbs, ShellsCompleteLabsNodesAndLinks) {
  deploy();
  const std::string dir = " --lab-dir " + dir_ + " ";
  EXPECT_EQ(heddle("__complete lab events" + dir + "--name ''").out, "verbs\n");
  EXPECT_EQ(heddle("__complete lab exec" + dir + "''").out, "h1\nh2\nn1\nn2\n");
  EXPECT_EQ(heddle("__complete lab capture" + dir + "n").out,
            "n1:eth1\nn1:eth2\nn2:eth1\nn2:eth2\n");
  EXPECT_EQ(heddle("__complete lab capture" + dir + "--name verbs h1").out, "h1\nh1:eth0\n");
}

TEST_F(Verbs, EventsTellWhatHappened) {
  deploy();
  const auto follower = start("lab events --follow --format json --lab-dir " + dir_);
  wait_for(*follower, "\"deployed\"");
  ask({.op = control::Op::exec, .target = "h1", .command = {"sleep", "1000"}, .background = "bg"});
  ask({.op = control::Op::kill, .target = "h1"});
  ask({.op = control::Op::start, .target = "h1"});
  ask({.op = control::Op::note, .target = "h2", .text = "does not hold", .kind = "check"});
  wait_for(*follower, "does not hold");
  const std::string lines = follower->output().text;
  EXPECT_THAT(lines,
              HasSubstr("\"kind\":\"started\",\"subject\":\"h1\",\"text\":\"bg: sleep 1000\""));
  EXPECT_THAT(
      lines,
      HasSubstr("\"kind\":\"ended\",\"subject\":\"h1\",\"text\":\"bg, by signal 9 (Killed)\""));
  EXPECT_THAT(lines, HasSubstr("\"kind\":\"kill\",\"subject\":\"h1\""));
  EXPECT_THAT(lines, HasSubstr("\"kind\":\"start\",\"subject\":\"h1\""));
  const Outcome table = in_lab("events", "--name verbs");
  EXPECT_EQ(table.status, 0);
  EXPECT_THAT(table.out, AllOf(HasSubstr("deployed"), HasSubstr("2 hosts, 3 nodes, 5 links"),
                               HasSubstr("check            h2                 does not hold")));
  destroy("verbs");
  const auto ending = follower->wait(after(20s));
  ASSERT_TRUE(ending);
  EXPECT_EQ(ending->exit, 0) << follower->error().text;
}

TEST_F(Verbs, EventsTellWhichStepsOfARunFailed) {
  const std::string file =
      write("a.lab.yml", std::string(kLab) + "steps: [{name: hopeless, on: h2, run: 'exit 3'}]\n");
  EXPECT_EQ(in_lab("run", "--keep " + file).status, 1);
  EXPECT_THAT(in_lab("events", "--name verbs").out,
              AllOf(HasSubstr("step failed      h2"), HasSubstr("hopeless: ")));
}

TEST_F(Verbs, ASavedLabNeedsNothingToBeReadAgain) {
  const std::string file =
      write("a.lab.yml", "name: ${LAB_NAME:=verbs}\nhosts: {h1: &h {daemon: false}, h2: *h}\n");
  ASSERT_EQ(in_lab("deploy", file).status, 0);
  const std::string saved = dir_ + "/saved.lab.yml";
  const Outcome done = in_lab("save", "--name verbs -o " + saved);
  ASSERT_EQ(done.status, 0) << done.err;
  destroy("verbs");
  const Outcome again = in_lab("deploy", saved);
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(in_lab("save", "--name verbs").out.substr(0, 12), "name: verbs\n");
}

TEST_F(Verbs, WhatWasImpairedIsSavedShownAndTold) {
  const std::string file = write("a.lab.yml", R"(
name: verbs
topology:
  nodes: {n1: {}, n2: {}}
  links: [{endpoints: ["n1:eth1", "n2:eth1"], impair: {}}]
)");
  const Outcome deployed = in_lab("deploy", file);
  ASSERT_EQ(deployed.status, 0) << deployed.err;
  ask({.op = control::Op::impair,
       .target = "n2:eth1",
       .forward = format::Impairment{.loss = 0.25}});
  ask({.op = control::Op::cut, .target = "n1:eth1"});
  EXPECT_THAT(
      in_lab("save", "").out,
      HasSubstr("      impair:\n        forward:\n          loss: 25%\n        backward: {}\n"));
  EXPECT_THAT(in_lab("graph", "").out,
              AllOf(HasSubstr("n0 -.-"), HasSubstr("\u2192 loss 25%<br/>cut")));
  EXPECT_THAT(in_lab("events", "").out, AllOf(HasSubstr("forward loss 25%"), HasSubstr("cut ")));
}

TEST_F(Verbs, ADeployOfSomeNodesHasThemAlone) {
  const std::string file = write("a.lab.yml", kLab);
  const Outcome done = in_lab("deploy", "--node-filter n1,sw,h2 " + file);
  ASSERT_EQ(done.status, 0) << done.err;
  EXPECT_THAT(done.out, AllOf(HasSubstr("h2"), HasSubstr("n1"), Not(HasSubstr("n2")),
                              Not(HasSubstr("10.99.0.11"))));
  EXPECT_THAT(in_lab("exec", "h2 -- ip -4 -br addr show eth0").out, HasSubstr("10.99.0.12/24"));
  EXPECT_THAT(in_lab("save", "").out, AllOf(HasSubstr("n1:eth1"), Not(HasSubstr("n2:eth1"))));
  destroy("verbs");
  const Outcome wrong = in_lab("deploy", "--node-filter n1,h9 " + file);
  EXPECT_EQ(wrong.status, 1);
  EXPECT_THAT(wrong.err, HasSubstr("no host or node \"h9\"; did you mean"));
  EXPECT_EQ(in_lab("deploy", "--node-filter n1,,h2 " + file).status, 2);
  expect_nothing_left("verbs");
}

TEST_F(Verbs, AGraphShowsADeployedLabsState) {
  deploy();
  ask({.op = control::Op::kill, .target = "h2"});
  const std::string mermaid = in_lab("graph", "--name verbs").out;
  EXPECT_THAT(mermaid, AllOf(HasSubstr("h2<br/>10.99.0.12<br/>down"), HasSubstr("class n1 down")));
  EXPECT_THAT(in_lab("graph", "--dot --node-filter n1,n2").out,
              AllOf(HasSubstr("\"n1\" -- \"n2\""), Not(HasSubstr("h1"))));
  EXPECT_THAT(in_lab("graph", "--html -o " + dir_ + "/g.html").err, "");
  EXPECT_GT(std::filesystem::file_size(dir_ + "/g.html"), 10'000U);
  EXPECT_EQ(in_lab("graph", "--html --dot").status, 2);
}

}  // namespace
}  // namespace heddle
