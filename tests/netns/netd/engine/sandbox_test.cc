// Goal: a container's namespace is what its process has, and no other's. Method: processes in
// namespaces of a private host, and a scripted engine that tells of them.
#include "netd/engine/sandbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>

#include "dataplane/netns/netns.h"
#include "netd/engine/engines.h"
#include "tests/support/engine/fake_engine.h"
#include "tests/support/host/private_host.h"

namespace heddle::engine {
namespace {

using namespace std::chrono_literals;
using test::FakeEngine;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// A process that waits in a namespace.
class Process {
 public:
  explicit Process(const std::string& sandbox) {
    pid_ = ::fork();
    if (pid_ == 0) {
      ::execlp("nsenter", "nsenter", ("--net=" + sandbox).c_str(), "sleep", "1000", nullptr);
      ::_exit(127);
    }
    // nsenter enters, then becomes sleep.
    while (host::run("cat /proc/" + std::to_string(pid_) + "/comm") != "sleep") {
    }
  }
  ~Process() { end(); }
  void end() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  ::pid_t pid() const { return pid_; }

 private:
  ::pid_t pid_ = 0;
};

class OfSandbox : public testing::Test {
 protected:
  host::PrivateHost host_;
  std::string c1_ = host_.add_sandbox("c1");
};

TEST_F(OfSandbox, IsWhatTheProcessHas) {
  host::run_in(c1_,
               "ip link add eth0 type veth peer name eth1 && ip addr add 10.1.0.2/24 dev eth0 && "
               "ip link set eth0 up && ip link set eth1 up && ip route add default via 10.1.0.1");
  const Process process(c1_);
  const auto opened = open_sandbox(process.pid());
  ASSERT_TRUE(opened) << opened.error().text();
  EXPECT_EQ(opened->process.pid, process.pid());
  EXPECT_EQ(opened->cookie, *netns::cookie(netns::open(c1_)->get()));
  EXPECT_THAT(opened->interfaces, UnorderedElementsAre("eth0", "eth1"));
  EXPECT_THAT(opened->routed, UnorderedElementsAre("eth0"));
  EXPECT_THAT(opened->routed6, IsEmpty());
}

TEST_F(OfSandbox, TheHostsAndTheDeadsAreRefused) {
  EXPECT_EQ(open_sandbox(::getpid()).error().code(), Errc::invalid);
  Process process(c1_);
  const auto pid = process.pid();
  process.end();
  EXPECT_EQ(open_sandbox(pid).error().code(), Errc::not_found);
}

TEST_F(OfSandbox, APinOutlivesTheProcessAndIsItsOwn) {
  const std::string c2 = host_.add_sandbox("c2");
  Process first(c1_);
  const Process second(c2);
  const auto opened = open_sandbox(first.pid());
  const auto other = open_sandbox(second.pid());
  ASSERT_TRUE(opened && other);
  const std::string path = host_.directory() + "/run/netns/container-1";
  ASSERT_TRUE(pin_sandbox(*opened, path));
  ASSERT_TRUE(pin_sandbox(*opened, path)) << "idempotent";
  first.end();
  EXPECT_TRUE(netns::same(netns::open(path)->get(), opened->netns.get()));
  EXPECT_EQ(pin_sandbox(*other, path).error().code(), Errc::exists) << "it is another's";
  ASSERT_TRUE(netns::remove(path));
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
}

class OfEngines : public OfSandbox {
 protected:
  OfEngines() {
    engines_ =
        *Engines::start({{model::WorkloadKind::docker, engine_.socket()}}, [this](Sighting seen) {
          const std::lock_guard lock(mutex_);
          last_ = std::move(seen);
          changed_.notify_all();
        });
  }
  void put(::pid_t pid, const std::string& status = "running") {
    engine_.put({.id = kId, .name = "web", .status = status, .pid = pid});
  }
  bool sees_pid(std::int64_t pid) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 60s, [&] {
      return last_ && (last_->sandbox ? last_->sandbox->process.pid : 0) == pid;
    });
  }

  const std::string kId = FakeEngine::id('a');
  FakeEngine engine_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Sighting> last_;
  std::unique_ptr<Engines> engines_;
};

TEST_F(OfEngines, FindsOneThatRunsAndFollowsItThroughItsRuns) {
  const std::string c2 = host_.add_sandbox("c2");
  const Process first(c1_);
  const Process second(c2);
  put(first.pid());
  const auto found = engines_->find("docker:web", after(60s));
  ASSERT_TRUE(found) << found.error().text();
  EXPECT_EQ(found->sandbox->process.pid, first.pid());
  engines_->follow(model::WorkloadKind::docker, {kId});
  ASSERT_TRUE(sees_pid(first.pid()));
  put(0, "exited");
  engine_.emit("die", kId);
  ASSERT_TRUE(sees_pid(0));
  put(second.pid());
  engine_.emit("start", kId);
  ASSERT_TRUE(sees_pid(second.pid()));
  EXPECT_FALSE(last_->ending);
  engine_.emit("kill", kId, R"({"signal":"15"})");
  std::unique_lock lock(mutex_);
  EXPECT_TRUE(changed_.wait_for(lock, 60s, [&] { return last_->ending; }));
}

// Docker tells the pid; until it is opened another container may have started.
TEST_F(OfEngines, APidThatIsNotTheContainersAnyMoreIsNotBelieved) {
  const Process process(c1_);
  put(process.pid());
  ASSERT_TRUE(engines_->find("docker:web", after(60s)));
  const std::string told = R"({"Id":")" + kId +
                           R"(","Name":"/web","State":{"Running":true,"Pid":)" +
                           std::to_string(process.pid()) + "}}";
  engine_.answer("/web/json", FakeEngine::http(200, told));
  put(0, "exited");  // what the second look, by id, finds
  EXPECT_THAT(engines_->find("docker:web", after(60s)).error().text(),
              HasSubstr("ended or was started again meanwhile"));
}

}  // namespace
}  // namespace heddle::engine
