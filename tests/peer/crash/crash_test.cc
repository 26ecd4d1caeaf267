// heddled dies (SIGKILL) after each single call with which an operation changes the store or the
// kernel. The next one must find its way: the kernel is as the state says, and what the operation
// was about is there whole or not at all.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/host/private_host.h"
#include "tests/support/real_programs.h"

namespace heddle::peer {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr int kMostCalls = 60;  // more than any operation makes

constexpr std::string_view kCgroup = "heddle-crash-";  // and the pid of the test

// A test that was killed leaves its cgroup, and in it whatever heddled had started.
void remove_left_behind(const std::string& root) {
  for (const auto& entry : fs::directory_iterator(root)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(kCgroup)) continue;
    const pid_t owner = std::atoi(name.c_str() + kCgroup.size());
    if (owner <= 0 || ::kill(owner, 0) == 0 || errno != ESRCH) continue;
    std::ofstream(entry.path() / "cgroup.kill") << 1 << std::flush;
    std::vector<fs::path> all{entry.path()};
    for (const auto& inner : fs::recursive_directory_iterator(entry.path())) {
      if (inner.is_directory()) all.push_back(inner.path());
    }
    std::ranges::sort(all, std::greater());  // what is inside comes first
    for (const fs::path& path : all) {
      EXPECT_TRUE(eventually([&] { return ::rmdir(path.c_str()) == 0; }, 5s)) << path;
    }
  }
}

// A host of the test's own with a heddled that can be killed after its n-th call.
class Crash : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "kernel tests run as root";
    const std::string root = host::run("findmnt -n -t cgroup2 -o TARGET | head -1");
    remove_left_behind(root);
    cgroup_ = root + "/" + std::string(kCgroup) + std::to_string(::getpid());
    fs::create_directory(cgroup_);
    ::setenv("HEDDLE_SOCKET", (run_dir() + "/heddled.sock").c_str(), 1);
    ::setenv("HEDDLE_CRASH_AFTER", arm_file().c_str(), 1);
    ::setenv("PATH", (bin_dir() + ":" + std::getenv("PATH")).c_str(), 1);
    start();
  }
  void TearDown() override {
    if (cgroup_.empty()) return;
    fs::remove(arm_file());
    EXPECT_EQ(host::status_of("heddle system reset --force"), 0);
    EXPECT_TRUE(eventually([&] { return ::waitpid(pid_, nullptr, WNOHANG) == pid_; }, 20s));
    EXPECT_TRUE(eventually([&] { return ::rmdir(cgroup_.c_str()) == 0; }, 10s)) << cgroup_;
    if (HasFailure()) std::puts(host::run("tail -n 60 " + log()).c_str());
  }

  std::string run_dir() const { return host_.directory() + "/run"; }
  std::string arm_file() const { return host_.directory() + "/crash-after"; }
  std::string log() const { return host_.directory() + "/heddled.log"; }

  void start() {
    pid_ = ::fork();
    ASSERT_GE(pid_, 0);
    if (pid_ == 0) {
      const int out = ::open(log().c_str(), O_CREAT | O_APPEND | O_WRONLY, 0600);
      ::dup2(out, 1);
      ::dup2(out, 2);
      const std::string program = bin_dir() + "/heddled-crashing";
      const std::string state = host_.directory() + "/state";
      ::execl(program.c_str(), program.c_str(), "--state-dir", state.c_str(), "--run-dir",
              run_dir().c_str(), "--cgroup", cgroup_.c_str(), "--name", "n1", nullptr);
      ::_exit(127);
    }
    ASSERT_TRUE(eventually([] { return host::status_of("heddle system info") == 0; }, 60s));
  }

  // One operation, and how to tell whether what it is about is there.
  struct Operation {
    std::string command;
    std::string before;  // brings the state back from which it starts; idempotent
    std::function<void()> whole_or_absent;
  };

  // Runs the operation with heddled killed after its first call, its second, ... until it ends
  // first.
  void crash_at_each_call_of(const Operation& operation) {
    int call = 0;
    for (;;) {
      ASSERT_LT(++call, kMostCalls);
      SCOPED_TRACE("killed after call " + std::to_string(call) + " of: " + operation.command);
      host::run(operation.before);
      std::ofstream(arm_file()) << call << std::flush;
      const int status = host::status_of(operation.command);
      fs::remove(arm_file());
      // The answer may be there before the last call of a refresh that follows it.
      const bool died = eventually([&] { return ::waitpid(pid_, nullptr, WNOHANG) == pid_; },
                                   status == 0 ? 1s : 20s);
      if (!died) {
        EXPECT_EQ(status, 0);
        break;
      }
      start();
      EXPECT_TRUE(eventually([] { return host::status_of("heddle verify") == 0; }, 20s))
          << host::run("heddle verify || true");
      expect_no_orphans();
      operation.whole_or_absent();
      if (HasFailure()) return;
    }
    EXPECT_GT(call, 1) << "the operation made no call";
    std::printf("%s: %d crash points\n", operation.command.c_str(), call - 1);
  }

  // Sandboxes, cgroups and processes belong to a workload that is known.
  void expect_no_orphans() {
    const std::string known = host::run("heddle ps --format json | jq -r '.[].id'");
    std::error_code ec;
    for (const auto& entry : fs::directory_iterator(run_dir() + "/netns", ec)) {
      EXPECT_TRUE(known.contains(entry.path().filename().string())) << entry.path();
    }
    for (const auto& entry : fs::directory_iterator(cgroup_)) {
      const std::string name = entry.path().filename();
      const auto dash = name.find('-');
      if (!entry.is_directory() || dash == std::string::npos) continue;
      EXPECT_TRUE(known.contains(name.substr(dash + 1))) << entry.path();
    }
  }

  static bool lists(const std::string& command, const std::string& name) {
    const std::string names = host::run(command + " --format json | jq -r '.[].name'");
    return ("\n" + names + "\n").contains("\n" + name + "\n");
  }

  host::PrivateHost host_;
  std::string cgroup_;
  ::pid_t pid_ = 0;
};

constexpr const char* kApp = "(heddle network create app || true) && ";

TEST(LeftBehind, CgroupsOfDeadTestsGoAndThoseOfLivingOnesStay) {
  if (::geteuid() != 0) GTEST_SKIP() << "kernel tests run as root";
  const std::string root = host::run("findmnt -n -t cgroup2 -o TARGET | head -1");
  const auto make = [&](pid_t owner) {
    const fs::path path = root + "/" + std::string(kCgroup) + std::to_string(owner);
    fs::create_directories(path / "workload-1");
    return path;
  };
  const pid_t dead = ::fork();
  if (dead == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(dead, nullptr, 0), dead);
  const fs::path left = make(dead);
  const fs::path kept = make(::getpid());
  const pid_t inside = ::fork();
  if (inside == 0) {
    ::pause();
    ::_exit(0);
  }
  std::ofstream(left / "workload-1/cgroup.procs") << inside << std::flush;
  remove_left_behind(root);
  int status = 0;
  ASSERT_EQ(::waitpid(inside, &status, 0), inside);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_FALSE(fs::exists(left));
  EXPECT_TRUE(fs::exists(kept));
  ::rmdir((kept / "workload-1").c_str());
  ::rmdir(kept.c_str());
}

TEST_F(Crash, CreatingANetwork) {
  crash_at_each_call_of({.command = "heddle network create app",
                         .before = "heddle network rm app || true",
                         .whole_or_absent = [] {
                           const bool there = lists("heddle network ls", "app");
                           EXPECT_EQ(host::status_of("heddle network create app") == 0, !there);
                         }});
}

TEST_F(Crash, RemovingANetwork) {
  crash_at_each_call_of({.command = "heddle network rm app",
                         .before = "heddle network create app || true",
                         .whole_or_absent = [] {
                           const bool there = lists("heddle network ls", "app");
                           EXPECT_EQ(host::status_of("heddle network rm app") == 0, there);
                         }});
}

class CrashOfAnEndpoint : public Crash {
 protected:
  void SetUp() override {
    Crash::SetUp();
    if (!IsSkipped()) sandbox_ = host_.add_sandbox("c1");
  }
  // The endpoint is there when the daemon knows it, and then its interface works.
  bool expect_whole_or_absent() const {
    const bool known =
        host::run("heddle network inspect app --format json | jq '.endpoints | length'") == "1";
    const bool link =
        host::status_of("nsenter --net=" + sandbox_ + " ip link show eth0 >/dev/null") == 0;
    EXPECT_EQ(known, link);
    if (known) host::run_in(sandbox_, "ping -c 1 -W 5 172.20.0.1");
    return known;
  }
  std::string reference() const { return "netns:" + sandbox_; }
  std::string sandbox_;
};

TEST_F(CrashOfAnEndpoint, Connecting) {
  crash_at_each_call_of(
      {.command = "heddle network connect app " + reference(),
       .before = kApp + ("(heddle network disconnect app " + reference() + " || true)"),
       .whole_or_absent = [&] { expect_whole_or_absent(); }});
}

TEST_F(CrashOfAnEndpoint, Disconnecting) {
  crash_at_each_call_of(
      {.command = "heddle network disconnect app " + reference(),
       .before = kApp + ("(heddle network connect app " + reference() + " || true)"),
       .whole_or_absent = [&] { expect_whole_or_absent(); }});
}

class CrashOfAWorkload : public Crash {
 protected:
  static constexpr const char* kRun =
      "heddle run --restart always --name w --network app --service s --port 80 -- "
      "/bin/sleep 4711";

  // Running with its process, or unknown and without one.
  bool expect_whole_or_absent() const {
    const bool known = lists("heddle ps", "w");
    const auto processes = [&] {
      return host::run("cat $(find " + cgroup_ +
                       " -path '*/workload-*' -name cgroup.procs) "
                       "/dev/null | wc -l");
    };
    EXPECT_TRUE(eventually([&] { return processes() == (known ? "1" : "0"); }, 20s))
        << processes() << " processes";
    if (known) {
      EXPECT_TRUE(eventually(
          [] { return host::status_of("heddle exec w -- ping -c 1 -W 5 172.20.0.1") == 0; }, 20s));
    }
    return known;
  }
};

TEST_F(CrashOfAWorkload, Running) {
  crash_at_each_call_of({.command = kRun,
                         .before = kApp + std::string("(heddle rm -f w || true)"),
                         .whole_or_absent = [&] { expect_whole_or_absent(); }});
}

TEST_F(CrashOfAWorkload, Removing) {
  crash_at_each_call_of({.command = "heddle rm -f w",
                         .before = kApp + ("(" + std::string(kRun) + " || true)"),
                         .whole_or_absent = [&] { expect_whole_or_absent(); }});
}

TEST_F(CrashOfAWorkload, InjectingASidecar) {
  crash_at_each_call_of(
      {.command = "heddle sidecar inject w",
       .before = kApp + ("(" + std::string(kRun) + " || true) && (heddle sidecar eject w || true)"),
       .whole_or_absent = [&] {
         EXPECT_TRUE(expect_whole_or_absent());
         const auto sidecars = [] {
           return host::run("heddle sidecar ls --format json | jq length");
         };
         const bool known = sidecars() == "1";
         const auto proxies = [&] {
           return host::run("cat $(find " + cgroup_ +
                            " -path '*/proxy-*' -name cgroup.procs) "
                            "/dev/null | wc -l");
         };
         EXPECT_TRUE(eventually([&] { return proxies() == (known ? "1" : "0"); }, 20s))
             << proxies() << " proxies";
       }});
}

}  // namespace
}  // namespace heddle::peer
