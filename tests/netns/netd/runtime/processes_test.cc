// Real processes in a private network namespace, mount namespace and cgroup.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <random>
#include <sstream>

#include "dataplane/netns/netns.h"
#include "netd/runtime/runtime.h"
#include "netd/runtime/sandbox.h"

namespace heddle::runtime {
namespace {

using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

std::string cgroup2_root() {
  for (const char* path : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    struct statfs info{};
    if (::statfs(path, &info) == 0 && info.f_type == CGROUP2_SUPER_MAGIC) return path;
  }
  return "";
}

std::string read_file(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

class ProcessesTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (cgroup2_root().empty()) GTEST_SKIP() << "needs a cgroup2 mount";
    char path[] = "/tmp/heddle-runtime-XXXXXX";
    dir_ = ::mkdtemp(path);
    sandbox_ = dir_ + "/netns";
    cgroup_ = cgroup2_root() + "/" + dir_.substr(5);
    ASSERT_TRUE(netns::create(sandbox_));
    auto created = Processes::create();
    ASSERT_TRUE(created);
    processes_ = std::move(*created);
  }
  void TearDown() override {
    if (dir_.empty()) return;
    processes_.reset();
    EXPECT_TRUE(remove_cgroup(cgroup_));
    EXPECT_TRUE(netns::remove(sandbox_));
    fs::remove_all(dir_);
  }
  Processes::Spec shell(const std::string& script) {
    Processes::Spec spec;
    spec.name = "test";
    spec.sandbox = sandbox_;
    spec.command = {"sh", "-c", script};
    spec.cgroup = cgroup_;
    spec.log_file = dir_ + "/log";
    return spec;
  }
  int wait_for(const ProcessId& process) {
    std::promise<int> status;
    EXPECT_TRUE(processes_->watch(process, [&](int s) { status.set_value(s); }));
    auto future = status.get_future();
    if (future.wait_for(std::chrono::seconds(20)) != std::future_status::ready) {
      ADD_FAILURE() << "no end within 20 s";
      std::abort();  // the promise is on this stack
    }
    return future.get();
  }
  std::string output_of(const Processes::Spec& spec, int expected_status = 0) {
    auto process = processes_->start(spec);
    EXPECT_TRUE(process) << process.error().text();
    if (process) {
      EXPECT_EQ(wait_for(*process), expected_status) << read_file(spec.log_file);
    }
    return read_file(spec.log_file);
  }
  void stop_and_wait(const ProcessId& process, std::chrono::milliseconds grace) {
    std::promise<void> done;
    processes_->stop(process, cgroup_, grace, [&] { done.set_value(); });
    auto future = done.get_future();
    if (future.wait_for(std::chrono::seconds(20)) != std::future_status::ready) std::abort();
  }
  static void until(const std::function<bool()>& holds) {
    for (int i = 0; i < 1000 && !holds(); ++i) ::usleep(10'000);
    EXPECT_TRUE(holds());
  }

  std::string dir_, sandbox_, cgroup_;
  std::unique_ptr<Processes> processes_;
};

TEST_F(ProcessesTest, RunsInItsSandboxSessionAndCgroup) {
  const std::string out =
      output_of(shell("readlink /proc/self/ns/net; cat /proc/self/cgroup; "
                      "cut -d' ' -f1,6 /proc/$$/stat; ls /proc/self/fd | wc -l"));
  char own[64] = {};
  ASSERT_GT(::readlink("/proc/self/ns/net", own, sizeof own - 1), 0);
  EXPECT_THAT(out, Not(HasSubstr(own)));
  EXPECT_THAT(out, HasSubstr("0::/" + dir_.substr(5)));
  std::istringstream lines(out);
  std::string line;
  while (std::getline(lines, line) && line.find(' ') == std::string::npos) {
  }
  EXPECT_EQ(line.substr(0, line.find(' ')), line.substr(line.find(' ') + 1)) << "a session leader";
}

TEST_F(ProcessesTest, SignalsAreAsAtBoot) {
  sigset_t blocked;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  const std::string out = output_of(shell("grep -E 'Sig(Blk|Ign)' /proc/self/status"));
  ::pthread_sigmask(SIG_UNBLOCK, &blocked, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  EXPECT_THAT(out, HasSubstr("SigBlk:\t0000000000000000"));
  EXPECT_THAT(out, HasSubstr("SigIgn:\t0000000000000000"));
}

TEST_F(ProcessesTest, OnlyTheGivenDescriptorsArePassed) {
  const UniqueFd leak(::open("/dev/zero", O_RDONLY));  // without close-on-exec
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  auto spec = shell("echo hello >&5; readlink /proc/$$/fd/*; exit 0");
  spec.descriptors = {{5, write_end.get()}};
  const std::string out = output_of(spec);
  char text[16] = {};
  EXPECT_EQ(::read(read_end.get(), text, sizeof text), 6);
  EXPECT_THAT(out, Not(HasSubstr("/dev/zero")));
  EXPECT_THAT(out, HasSubstr("pipe:"));
  EXPECT_THAT(out, HasSubstr("/dev/null"));
}

TEST_F(ProcessesTest, DescriptorNumbersMayCross) {
  int a[2];
  int b[2];
  ASSERT_EQ(::pipe(a), 0);
  ASSERT_EQ(::pipe(b), 0);
  auto spec = shell("eval \"echo A >&" + std::to_string(b[1]) + "\"; eval \"echo B >&" +
                    std::to_string(a[1]) + "\"");
  spec.command = {"bash", "-c", spec.command[2]};
  spec.descriptors = {{b[1], a[1]}, {a[1], b[1]}};  // swapped
  output_of(spec);
  char text[2];
  ASSERT_EQ(::read(a[0], text, 2), 2);
  EXPECT_EQ(text[0], 'A');
  ASSERT_EQ(::read(b[0], text, 2), 2);
  EXPECT_EQ(text[0], 'B');
  for (const int fd : {a[0], a[1], b[0], b[1]}) ::close(fd);
}

TEST_F(ProcessesTest, ProxyUserHasNoPrivilegeAndGainsNone) {
  auto spec = shell("id -u; id -g; id -G; grep -E 'Cap|NoNewPrivs' /proc/self/status");
  spec.uid = 65534;
  const std::string out = output_of(spec);
  EXPECT_THAT(out, HasSubstr("65534\n65534\n65534\n"));
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
    EXPECT_THAT(out, HasSubstr(std::string(set) + ":\t0000000000000000"));
  EXPECT_THAT(out, HasSubstr("NoNewPrivs:\t1"));
}

TEST_F(ProcessesTest, UnprivilegedProcessRunsAProgramBelowAClosedDirectory) {
  fs::create_directory(dir_ + "/closed");
  fs::copy_file(fs::canonical("/bin/sleep"), dir_ + "/closed/sleep");
  ASSERT_EQ(::chmod((dir_ + "/closed").c_str(), 0700), 0);
  auto spec = shell("");
  spec.command = {dir_ + "/closed/sleep", "0"};
  spec.uid = 65534;
  EXPECT_EQ(output_of(spec), "");
}

TEST_F(ProcessesTest, ResolvConfIsBoundForTheProcessAlone) {
  std::ofstream(dir_ + "/resolv.conf") << "nameserver 127.0.0.11\n";
  const std::string host = read_file("/etc/resolv.conf");
  const std::string mounts = read_file("/proc/self/mountinfo");
  auto spec = shell("cat /etc/resolv.conf; sleep 60");
  spec.resolv_conf = dir_ + "/resolv.conf";
  auto process = processes_->start(spec);
  ASSERT_TRUE(process) << process.error().text();
  until([&] { return read_file(spec.log_file) == "nameserver 127.0.0.11\n"; });
  EXPECT_EQ(read_file("/etc/resolv.conf"), host);
  EXPECT_EQ(read_file("/proc/self/mountinfo"), mounts) << "the host sees no mount of it";
  stop_and_wait(*process, std::chrono::seconds(5));
}

TEST_F(ProcessesTest, EnvironmentIsTheGivenOneWithAPath) {
  auto spec = shell("env");
  spec.environment = {{"ANSWER", "forty two"}};
  ::setenv("HEDDLE_SECRET", "1", 1);
  const std::string out = output_of(spec);
  ::unsetenv("HEDDLE_SECRET");
  EXPECT_THAT(out, HasSubstr("ANSWER=forty two\n"));
  EXPECT_THAT(out, HasSubstr("PATH="));
  EXPECT_THAT(out, Not(HasSubstr("HEDDLE_SECRET")));
}

TEST_F(ProcessesTest, StatusIsAsAShellCounts) {
  output_of(shell("exit 3"), 3);
  output_of(shell("kill -9 $$"), 128 + SIGKILL);
}

TEST_F(ProcessesTest, EndBeforeTheWatchIsStillTold) {
  auto process = processes_->start(shell("exit 7"));
  ASSERT_TRUE(process);
  until([&] { return !processes_->alive(*process); });
  EXPECT_EQ(wait_for(*process), 7);
  EXPECT_EQ(wait_for(*process), -1) << "told once; then it is somebody we do not know";
}

TEST_F(ProcessesTest, SurvivesTheDaemonAndIsWatchedByTheNext) {
  auto process = processes_->start(shell("sleep 60"));
  ASSERT_TRUE(process);
  processes_ = std::move(*Processes::create());
  EXPECT_TRUE(processes_->alive(*process));
  std::promise<int> status;
  ASSERT_TRUE(processes_->watch(*process, [&](int s) { status.set_value(s); }));
  stop_and_wait(*process, std::chrono::seconds(5));
  auto future = status.get_future();
  ASSERT_EQ(future.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_FALSE(fs::exists(cgroup_));
}

TEST_F(ProcessesTest, ReusedPidIsNotTheProcess) {
  auto process = processes_->start(shell("sleep 60"));
  ASSERT_TRUE(process);
  const ProcessId other{process->pid, "1"};
  EXPECT_FALSE(processes_->alive(other));
  EXPECT_EQ(wait_for(other), -1);
  std::promise<void> done;
  processes_->stop(other, "", std::chrono::milliseconds(0), [&] { done.set_value(); });
  done.get_future().wait();
  EXPECT_TRUE(processes_->alive(*process)) << "not signalled";
  stop_and_wait(*process, std::chrono::milliseconds(0));
}

TEST_F(ProcessesTest, StopIsGentleFirst) {
  auto process = processes_->start(
      shell("trap 'echo bye; exit 0' TERM; echo on; while :; do sleep 0.05; done"));
  ASSERT_TRUE(process);
  until([&] { return read_file(dir_ + "/log") == "on\n"; });
  stop_and_wait(*process, std::chrono::seconds(10));
  EXPECT_EQ(read_file(dir_ + "/log"), "on\nbye\n");
  EXPECT_FALSE(fs::exists(cgroup_));
}

TEST_F(ProcessesTest, StopEndsWhatIgnoresItWithAllDescendants) {
  auto process = processes_->start(
      shell("trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1; done' & "
            "while :; do sleep 1; done"));
  ASSERT_TRUE(process);
  until([&] { return read_file(dir_ + "/log").ends_with("\n"); });
  const pid_t other = std::stoi(read_file(dir_ + "/log"));
  EXPECT_EQ(::kill(other, 0), 0);
  stop_and_wait(*process, std::chrono::milliseconds(200));
  EXPECT_FALSE(processes_->alive(*process));
  EXPECT_FALSE(identify(other));
  EXPECT_FALSE(fs::exists(cgroup_));
}

TEST_F(ProcessesTest, FailedExecInTheSandboxLeavesNoChildAndNoCgroup) {
  Processes::Spec spec = shell("");
  spec.command = {dir_ + "/absent"};
  const auto process = processes_->start(spec);
  ASSERT_FALSE(process);
  EXPECT_EQ(process.error().code(), Errc::not_found);
  EXPECT_THAT(process.error().text(), HasSubstr("start test"));
  EXPECT_FALSE(fs::exists(cgroup_));
}

TEST_F(ProcessesTest, StartsInACgroupThatWasKilledBefore) {
  auto first = processes_->start(shell("sleep 60"));
  ASSERT_TRUE(first);
  std::ofstream(cgroup_ + "/cgroup.kill") << "1";
  EXPECT_EQ(wait_for(*first), 128 + SIGKILL);
  EXPECT_THAT(output_of(shell("cat /proc/self/cgroup")), HasSubstr("0::/" + dir_.substr(5)));
}

TEST_F(ProcessesTest, CgroupWithNestedGroupsIsRemovedWhole) {
  auto process = processes_->start(shell("sleep 60"));
  ASSERT_TRUE(process);
  fs::create_directories(cgroup_ + "/a/b");
  ASSERT_TRUE(remove_cgroup(cgroup_));
  EXPECT_FALSE(fs::exists(cgroup_));
  EXPECT_EQ(wait_for(*process), 128 + SIGKILL);
}

TEST_F(ProcessesTest, ReferencesToItResolve) {
  auto process = processes_->start(shell("sleep 60"));
  ASSERT_TRUE(process);
  const auto by_pid = resolve_reference("pid:" + std::to_string(process->pid));
  ASSERT_TRUE(by_pid) << by_pid.error().text();
  EXPECT_EQ(by_pid->path, "/proc/" + std::to_string(process->pid) + "/ns/net");
  EXPECT_EQ(by_pid->owner, std::to_string(process->pid) + ":" + process->start);
  EXPECT_TRUE(owner_alive(by_pid->owner));
  EXPECT_EQ(resolve_reference("netns:" + sandbox_)->path, sandbox_);
  stop_and_wait(*process, std::chrono::seconds(5));
  EXPECT_FALSE(owner_alive(by_pid->owner));
}

}  // namespace
}  // namespace heddle::runtime
