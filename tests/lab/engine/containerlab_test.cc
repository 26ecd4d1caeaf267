// Files of containerlab's shapes, with what they say of nodes made real.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "tests/lab/engine/lab_program.h"

namespace heddle {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace std::chrono_literals;

class Containerlab : public LabProgram {
 protected:
  Outcome on(const std::string& node, const std::string& line) {
    return in_lab("exec", node + " -- sh -c '" + line + "'");
  }
};

TEST_F(Containerlab, NodesAreWhatTheirFileSays) {
  write("a.env", "A=1\n# no\nB=file\n");
  const std::string file = write("a.clab.yml", R"(
name: clab
topology:
  kinds: {linux: {image: alpine:3}}
  nodes:
    n:
      hostname: box
      user: nobody
      env-files: [a.env]
      env: {B: own}
      dns: {servers: [10.1.1.1], search: [a.example]}
      tmpfs: {/mnt: "size=1m,ro"}
      binds: ["__clabNodeDir__:/srv"]
    twin: {network-mode: "container:n"}
    alone: {network-mode: none}
)");
  const Outcome done = in_lab("deploy", file);
  ASSERT_EQ(done.status, 0) << done.err;
  EXPECT_THAT(done.err, HasSubstr("image: ignored"));
  EXPECT_EQ(on("n", "hostname; id -un; echo $A $B").out, "box\nnobody\n1 own\n");
  EXPECT_EQ(on("n", "cat /etc/resolv.conf").out, "nameserver 10.1.1.1\nsearch a.example\n");
  EXPECT_THAT(on("n", "grep \" /mnt \" /proc/mounts").out, HasSubstr("tmpfs ro,"));
  EXPECT_EQ(on("n", "readlink /proc/self/ns/net").out,
            on("twin", "readlink /proc/self/ns/net").out);
  EXPECT_NE(on("n", "readlink /proc/self/ns/net").out,
            on("alone", "readlink /proc/self/ns/net").out);
  EXPECT_THAT(on("n", "readlink /proc/self/ns/uts").out, StartsWith("uts:"));
  // The machine's own files are as they were.
  EXPECT_NE(heddle("version > /dev/null; cat /etc/resolv.conf").out,
            "nameserver 10.1.1.1\nsearch a.example\n");
  destroy("clab");
}

TEST_F(Containerlab, TheManagementNetworkJoinsNodes) {
  const std::string file = write("a.clab.yml", R"(
name: mgmt
mgmt: {ipv4-subnet: 172.31.250.0/24, ipv6-subnet: "fd00:250::/64"}
topology:
  nodes: {a: {mgmt-ipv4: 172.31.250.9}, b: , c: {network-mode: none}}
  links:
    - {type: mgmt-net, endpoint: {node: c, interface: e1, ipv4: 172.31.250.77/24},
       host-interface: c1}
)");
  const Outcome done = in_lab("deploy", file);
  ASSERT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(on("b", "ping -c1 -W2 172.31.250.9").status, 0);
  EXPECT_EQ(on("b", "ping -c1 -W2 fd00:250::2").status, 0);
  EXPECT_EQ(on("a", "ping -c1 -W2 172.31.250.77").status, 0);
  EXPECT_THAT(on("a", "ip route").out, HasSubstr("default via 172.31.250.1 dev eth0"));
  destroy("mgmt");
}

TEST_F(Containerlab, LinksOfOneEnd) {
  const std::string file = write("a.clab.yml", R"(
name: ends
topology:
  nodes: {a: , b: }
  links:
    - {type: dummy, endpoint: {node: a, interface: d0, ipv4: 10.7.0.1/32}}
    - {type: vxlan, endpoint: {node: a, interface: v0, ipv4: 10.8.0.1/24}, remote: 127.0.0.1,
       vni: 7001, dst-port: 14777}
    - {endpoints: ["a:e1", "b:e1"], ipv4: [10.9.0.1/24, 10.9.0.2/24]}
)");
  const Outcome done = in_lab("deploy", file);
  ASSERT_EQ(done.status, 0) << done.err;
  EXPECT_THAT(on("a", "ip -d link show v0").out, HasSubstr("vxlan id 7001 remote 127.0.0.1"));
  EXPECT_EQ(on("b", "ip route add 10.7.0.1 via 10.9.0.1; ping -c1 -W2 10.7.0.1").status, 0);
  destroy("ends");
}

TEST_F(Containerlab, AMacvlanLiesOnAnInterfaceOfThisMachine) {
  const std::string file = write("a.clab.yml", R"(
name: parent
topology:
  nodes: {a: }
  links: [{endpoints: ["a:m0", "macvlan:not-there0"]}]
)");
  const Outcome done = in_lab("deploy", file);
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.err, HasSubstr("a:m0: this machine has no interface not-there0"));
  expect_nothing_left("parent");
}

TEST_F(Containerlab, NodesWaitForEachOthersStages) {
  const std::string log = dir_ + "/log";
  const auto say = [&](const std::string& what) { return "echo " + what + " >> " + log; };
  const std::string file = write("a.clab.yml", R"(
name: order
topology:
  nodes:
    late:
      exec: [")" + say("late") + R"("]
      stages: {create: {wait-for: [{node: job, stage: exit}, {node: server, stage: healthy}],
        exec: [{command: ")" + say("machine") + R"(", target: host}]}}
    job: {cmd: "sh -c 'sleep 0.3; )" + say("job") + R"('"}
    server:
      exec: [")" + say("early") + R"("]
      healthcheck: {test: [CMD-SHELL, "test -e )" + log +
                                                   R"("], interval: 1}
      stages: {configure: {exec: [{command: ")" + say("left") +
                                                   R"(", phase: on-exit}]}}
  links: [{endpoints: ["late:e", "server:e"], ipv4: [10.1.0.1/24, 10.1.0.2/24]}]
)");
  const Outcome done = in_lab("deploy", file);
  ASSERT_EQ(done.status, 0) << done.err;
  std::ifstream lines(log);
  const std::string text(std::istreambuf_iterator<char>(lines), {});
  EXPECT_EQ(text, "early\nleft\njob\nmachine\nlate\n");
  EXPECT_EQ(on("late", "ping -c1 -W2 10.1.0.2").status, 0);
  destroy("order");
}

TEST_F(Containerlab, ANodeThatStaysUnhealthyEndsTheDeploy) {
  const std::string file = write("a.clab.yml", R"(
name: sick
topology:
  nodes:
    a: {healthcheck: {test: [CMD, "false"], interval: 1, retries: 1}}
    b: {stages: {configure: {wait-for: [{node: a, stage: healthy}]}}}
)");
  const Outcome done = in_lab("deploy", file);
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.err, HasSubstr("a: stays unhealthy"));
  expect_nothing_left("sick");
}

}  // namespace
}  // namespace heddle
