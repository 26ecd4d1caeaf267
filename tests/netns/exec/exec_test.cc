// `heddle exec`, the program itself, against a daemon that only names a sandbox.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "dataplane/netns/netns.h"
#include "tests/support/daemon/fake_daemon.h"

namespace heddle {
namespace {

using testing::HasSubstr;

struct Ended {
  int status = -1;
  std::string out;  // standard output and error
};

Ended shell(const std::string& command) {
  Ended ended;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "re");
  char buffer[4096];
  while (pipe != nullptr) {
    const std::size_t n = std::fread(buffer, 1, sizeof buffer, pipe);
    if (n == 0) break;
    ended.out.append(buffer, n);
  }
  if (pipe != nullptr) ended.status = WEXITSTATUS(::pclose(pipe));
  return ended;
}

struct Exec : testing::Test {
  const std::string path = "/run/heddle-test-exec-" + std::to_string(::getpid());
  test::FakeDaemon daemon;

  void SetUp() override {
    ASSERT_EQ(::geteuid(), 0u) << "needs root";
    ASSERT_TRUE(netns::create(path).has_value());
    daemon.reply("ListWorkloads",
                 "workloads { id: 'aaaa1111' name: 'c1' kind: WORKLOAD_NETNS "
                 "sandbox: '" +
                     path + "' }");
  }
  void TearDown() override { EXPECT_TRUE(netns::remove(path).has_value()); }

  Ended heddle(const std::string& arguments) const {
    const char* bin = std::getenv("HEDDLE_BIN");
    return shell("HEDDLE_SOCKET=" + daemon.socket() + " " + std::string(bin ? bin : ".") +
                 "/heddle " + arguments);
  }
  std::string inode() const {
    struct stat found{};
    EXPECT_EQ(::stat(path.c_str(), &found), 0);
    return std::to_string(found.st_ino);
  }
};

TEST_F(Exec, RunsInTheSandboxWithItsResolverAndLeavesTheHostsFileAlone) {
  const std::string before = shell("cat /etc/resolv.conf").out;
  const Ended ended = heddle("exec c1 -- sh -c 'readlink /proc/self/ns/net; cat /etc/resolv.conf'");
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.out, HasSubstr("net:[" + inode() + "]"));
  EXPECT_THAT(ended.out, HasSubstr("nameserver 127.0.0.11"));
  EXPECT_EQ(shell("cat /etc/resolv.conf").out, before);
  EXPECT_EQ(shell("ls /tmp | grep -c heddle-exec").out, "0\n");
}

TEST_F(Exec, EndsWithItsCommandsStatus) {
  EXPECT_EQ(heddle("exec aaaa -- sh -c 'exit 37'").status, 37);
}

TEST_F(Exec, SharesMountsAndCgroupOfAWorkloadThatHeddleStarted) {
  // A process in the namespace, with a mount of its own.
  const std::string folder = "/run/heddle-test-exec-mount-" + std::to_string(::getpid());
  ASSERT_EQ(shell("mkdir " + folder).status, 0);
  const std::string command = "nsenter --net=" + path + " unshare -m sh -c 'mount -t tmpfs none " +
                              folder + " && touch " + folder +
                              "/inside && echo ready && exec sleep 60'";
  FILE* pipe = ::popen(command.c_str(), "re");
  char line[64] = {};
  ASSERT_NE(std::fgets(line, sizeof line, pipe), nullptr);
  ASSERT_STREQ(line, "ready\n");
  const std::string pid = shell("for p in /proc/[0-9]*; do [ \"$(readlink $p/ns/net)\" = 'net:[" +
                                inode() + "]' ] && basename $p; done")
                              .out;
  daemon.reply("ListWorkloads", "workloads { id: 'aaaa1111' name: 'c1' kind: WORKLOAD_RUN pid: " +
                                    pid.substr(0, pid.find('\n')) + " sandbox: '" + path + "' }");
  EXPECT_EQ(heddle("exec c1 -- ls " + folder).out, "inside\n");
  const std::string cgroup = shell("awk '$3 == \"cgroup2\" {print $2; exit}' /proc/mounts").out;
  const std::string group =
      cgroup.substr(0, cgroup.find('\n')) + "/heddle-test-exec-" + std::to_string(::getpid());
  ASSERT_EQ(shell("mkdir " + group + " && echo " + pid.substr(0, pid.find('\n')) + " > " + group +
                  "/cgroup.procs")
                .status,
            0);
  EXPECT_THAT(heddle("exec c1 -- grep ^0:: /proc/self/cgroup").out,
              HasSubstr("heddle-test-exec-" + std::to_string(::getpid())));
  ASSERT_EQ(shell("kill " + pid.substr(0, pid.find('\n'))).status, 0);
  ::pclose(pipe);
  EXPECT_EQ(shell("rmdir " + folder + " " + group).status, 0);
}

TEST_F(Exec, SaysWhatIsNotThere) {
  EXPECT_EQ(heddle("exec c2 -- true").out,
            "heddle: no workload 'c2' on this node; see heddle ps\n");
  const Ended missing = heddle("exec c1 -- /no/such/command");
  EXPECT_EQ(missing.status, 1);
  EXPECT_EQ(missing.out, "heddle: run /no/such/command: No such file or directory\n");
  daemon.reply("ListWorkloads", "workloads { id: 'a' name: 'c1' sandbox: '/run/heddle-gone' }");
  const Ended gone = heddle("exec c1 -- true");
  EXPECT_EQ(gone.status, 1);
  EXPECT_THAT(gone.out, HasSubstr("sandbox of c1, /run/heddle-gone: No such file"));
}

}  // namespace
}  // namespace heddle
