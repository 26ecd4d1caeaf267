#include "topologies/engine/process/supervisor.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "topologies/engine/process/mounts.h"

namespace heddle::process {
namespace {

using namespace std::chrono_literals;

Supervisor& supervisor() {
  static Supervisor instance;  // one per program: it waits for all children
  return instance;
}

SpawnRequest shell(const std::string& line) {
  SpawnRequest request;
  request.command = {"sh", "-c", line};
  request.env = {{"PATH", "/usr/bin:/bin"}, {"GREETING", "hello"}};
  return request;
}

std::shared_ptr<Child> start(const SpawnRequest& request) {
  auto child = supervisor().start(request, Supervisor::Streams::capture);
  EXPECT_TRUE(child) << child.error().text();
  return *child;
}

TEST(Supervisor, CollectsBothStreamsAndTheStatus) {
  const auto child = start(shell("echo $GREETING; echo oops >&2; exit 3"));
  const auto ending = child->wait(after(10s));
  ASSERT_TRUE(ending);
  EXPECT_EQ(ending->exit, 3);
  EXPECT_EQ(child->output().text, "hello\n");
  EXPECT_EQ(child->error().text, "oops\n");
}

TEST(Supervisor, ASignalEndsTheWholeGroup) {
  const auto child = start(shell("sleep 1000 & echo ready; wait"));
  EXPECT_EQ(child->wait(after(50ms)).error().code(), Errc::timeout);
  child->signal(SIGKILL, Child::Reach::group);
  const auto ending = child->wait(after(10s));
  ASSERT_TRUE(ending);
  EXPECT_EQ(ending->signal, SIGKILL);
  EXPECT_EQ(ending->exit, 137);
}

TEST(Supervisor, OutputIsBoundedAndKeepsItsEnd) {
  const auto child = start(shell("head -c 5000000 /dev/zero | tr '\\0' a; echo END"));
  ASSERT_TRUE(child->wait(after(20s)));
  const Output out = child->output();
  EXPECT_EQ(out.text.size(), kMaxOutput);
  EXPECT_TRUE(out.text.ends_with("END\n"));
  EXPECT_EQ(out.dropped_bytes + out.text.size(), 5000004U);
}

TEST(Supervisor, OrphansAreReapedToo) {
  const auto child = start(shell("(sleep 0 &) ; exit 0"));
  ASSERT_TRUE(child->wait(after(10s)));
  const auto next = start(shell("true"));  // the reaper went on
  EXPECT_TRUE(next->wait(after(10s)));
}

TEST(Spawn, ACommandThatIsNowhereIsNotFound) {
  SpawnRequest request;
  request.command = {"no-such-command-anywhere"};
  request.env = {{"PATH", "/usr/bin"}};
  const auto pid = spawn(request);
  ASSERT_FALSE(pid);
  EXPECT_EQ(pid.error().code(), Errc::not_found);
  EXPECT_NE(pid.error().text().find("no-such-command-anywhere"), std::string::npos);
}

TEST(Spawn, AFailedStepOfTheChildIsNamed) {
  SpawnRequest request = shell("true");
  request.directory = "/no/such/directory";
  const auto pid = spawn(request);
  ASSERT_FALSE(pid);
  EXPECT_NE(pid.error().text().find("change to its directory"), std::string::npos);
  EXPECT_EQ(spawn(SpawnRequest{}).error().code(), Errc::invalid);
}

TEST(Mounts, RemovingAnAbsentTreeIsSuccess) {
  EXPECT_TRUE(remove_tree("/tmp/heddle-no-such-tree"));
}

}  // namespace
}  // namespace heddle::process
