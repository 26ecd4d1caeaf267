// Goal: a command in a container is a member of it, and a child of this program all the same.
// Method: a process with namespaces of its own in a container's place, which needs no engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>

#include <fstream>

#include "tests/lab/engine/lab_program.h"

namespace heddle {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace std::chrono_literals;
using process::Supervisor;

class Enter : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "namespaces need root";
    process::SpawnRequest request;
    request.command = {"unshare",
                       "-m",
                       "-u",
                       "-p",
                       "-i",
                       "-n",
                       "-f",
                       "--kill-child",
                       "--mount-proc",
                       "sh",
                       "-c",
                       "hostname box; mount -t tmpfs x /mnt; mkdir /mnt/bin; cp /bin/true "
                       "/mnt/bin/only-here; touch /mnt/ready; exec sleep 1000"};
    request.env = {{"PATH", std::getenv("PATH")}};
    auto outer = supervisor().start(request, Supervisor::Streams::capture);
    ASSERT_TRUE(outer) << outer.error().text();
    outer_ = *outer;
    for (int looks = 0; looks < 3000 && !ready(); ++looks) std::this_thread::sleep_for(10ms);
    ASSERT_TRUE(ready()) << outer_->error().text;
    process_.reset(static_cast<int>(::syscall(SYS_pidfd_open, first_, 0)));
    ASSERT_TRUE(process_);
  }
  void TearDown() override {
    if (!outer_) return;
    outer_->signal(SIGKILL, process::Child::Reach::group);
    EXPECT_TRUE(outer_->wait(after(30s)));
  }
  bool ready() {
    const std::string pid = std::to_string(outer_->pid());
    std::ifstream("/proc/" + pid + "/task/" + pid + "/children") >> first_;
    return first_ > 0 && std::filesystem::exists(root() + "/mnt/ready");
  }
  std::string root() const { return "/proc/" + std::to_string(first_) + "/root"; }
  process::SpawnRequest inside(const std::string& line) const {
    process::SpawnRequest request;
    request.command = {"sh", "-c", line};
    request.env = {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin:/mnt/bin"}};
    request.process = process_.get();
    request.root = root();
    return request;
  }
  static Outcome run(const process::SpawnRequest& request) {
    auto child = supervisor().start(request, Supervisor::Streams::capture);
    if (!child) return {-1, "", child.error().text()};
    const auto ending = (*child)->wait(after(30s));
    EXPECT_TRUE(ending);
    return {ending ? ending->exit : -1, (*child)->output().text, (*child)->error().text};
  }

  std::shared_ptr<process::Child> outer_;
  int first_ = 0;
  UniqueFd process_;
};

TEST_F(Enter, IsAMemberOfAllItsNamespaces) {
  const Outcome done =
      run(inside("hostname; ls /mnt; cat /proc/1/comm; ip -o link | wc -l; exit 7"));
  EXPECT_EQ(done.status, 7) << done.err;
  EXPECT_EQ(done.out, "box\nbin\nready\nsleep\n1\n");
  EXPECT_EQ(run(inside("for k in mnt uts ipc pid net; do [ $(readlink /proc/self/ns/$k) = "
                       "$(readlink /proc/1/ns/$k) ] || exit 1; done"))
                .status,
            0);
}

TEST_F(Enter, CommandsAreItsOwn) {
  process::SpawnRequest request = inside("");
  request.command = {"only-here"};
  EXPECT_EQ(run(request).status, 0);
  request.command = {"nowhere"};
  EXPECT_THAT(run(request).err, HasSubstr("nowhere: execute it"));
}

TEST_F(Enter, UsersAndRightsAreItsOwn) {
  process::SpawnRequest request = inside("id -un; echo $HOME; grep CapBnd /proc/self/status");
  request.user = "nobody";
  request.capabilities = 1U << 13;  // CAP_NET_RAW
  const Outcome done = run(request);
  EXPECT_THAT(done.out, StartsWith("nobody\n/"));
  EXPECT_THAT(done.out, HasSubstr("CapBnd:\t0000000000002000"));
  request.user = "stranger";
  EXPECT_THAT(run(request).err, HasSubstr("the container has no user stranger"));
}

TEST_F(Enter, ItEndsAsAChildDoes) {
  auto child = supervisor().start(inside("sleep 1000 & wait"), Supervisor::Streams::capture);
  ASSERT_TRUE(child) << child.error().text();
  EXPECT_FALSE((*child)->wait(after(100ms)));
  (*child)->signal(SIGTERM, process::Child::Reach::group);
  const auto ending = (*child)->wait(after(30s));
  ASSERT_TRUE(ending);
  EXPECT_EQ(ending->signal, SIGTERM);
  // With its first process all of it goes.
  auto other = supervisor().start(inside("sleep 1000"), Supervisor::Streams::capture);
  ASSERT_TRUE(other);
  ::kill(first_, SIGKILL);
  EXPECT_TRUE((*other)->wait(after(30s)));
  EXPECT_FALSE(supervisor().start(inside("true"), Supervisor::Streams::capture));
}

}  // namespace
}  // namespace heddle
