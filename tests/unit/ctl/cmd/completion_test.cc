#include "ctl/cmd/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/ctl/cmd/invocation.h"

namespace heddle::cmd {
namespace {

using testing::HasSubstr;

std::string completed(const std::string& socket, std::vector<std::string> words) {
  words.insert(words.begin(), "__complete");
  return invoke(socket, words).out;
}

TEST(Completion, CommandsAndFlagsComeFromTheTree) {
  const std::string nowhere = "/tmp/heddle-no-such.sock";
  EXPECT_EQ(completed(nowhere, {"netw"}), "network\n");
  EXPECT_EQ(completed(nowhere, {"network", "c"}), "connect\ncreate\n");
  EXPECT_EQ(completed(nowhere, {"network", "create", "--d"}), "--driver\n");
  EXPECT_EQ(completed(nowhere, {"network", "ls", "--format", ""}), "json\ntable\n");
  EXPECT_EQ(completed(nowhere, {"swarm", "join-token", "w"}), "worker\n");
  EXPECT_EQ(completed(nowhere, {"network", "create", "--driver", "i"}), "ipvlan\n");
  EXPECT_EQ(completed(nowhere, {"network", "create", "--scope", ""}), "local\nswarm\n");
  EXPECT_EQ(completed(nowhere, {"network", "ls", "--filter", "d"}), "dangling=\ndriver=\n");
  EXPECT_EQ(completed(nowhere, {"network", "ls", "-f", "dangling="}),
            "dangling=false\ndangling=true\n");
  EXPECT_EQ(completed(nowhere, {"network", "ls", "-f", "scope=s"}), "scope=swarm\n");
  EXPECT_EQ(completed(nowhere, {"network", "prune", "--filter", ""}), "label!=\nlabel=\nuntil=\n");
  EXPECT_EQ(completed(nowhere, {"run", "--", "ng"}), "");
  EXPECT_EQ(completed(nowhere, {"network", "inspect", ""}), "") << "silent without a daemon";
  EXPECT_EQ(completed(nowhere, {}), "");
}

TEST(Completion, NamesComeFromTheDaemon) {
  test::FakeDaemon daemon;
  daemon.reply("ListNetworks",
               "networks { name: 'app' driver: 'bridge' } "
               "networks { name: 'db' driver: 'bridge' }");
  daemon.reply("ListWorkloads", "workloads { name: 'web-1' }");
  EXPECT_EQ(completed(daemon.socket(), {"network", "rm", ""}), "app\ndb\n");
  EXPECT_EQ(completed(daemon.socket(), {"network", "rm", "app", "d"}), "db\n");
  EXPECT_EQ(completed(daemon.socket(), {"network", "connect", "app", ""}), "web-1\n");
  EXPECT_EQ(completed(daemon.socket(), {"run", "--network", "a"}), "app\n");
  EXPECT_EQ(completed(daemon.socket(), {"network", "ls", "-f", "name=d"}), "name=db\n");
  EXPECT_EQ(completed(daemon.socket(), {"network", "create", "--config-from", "a"}), "app\n");
  EXPECT_EQ(completed(daemon.socket(), {"port", "ls", ""}), "web-1\n");
  EXPECT_EQ(completed(daemon.socket(), {"port", "add", "w"}), "web-1\n");
  EXPECT_EQ(completed(daemon.socket(), {"port", "rm", "web-1", "--network", "d"}), "db\n");
  EXPECT_EQ(completed("/tmp/heddle-no-such.sock",
                      {"network", "inspect", "--socket", daemon.socket(), "d"}),
            "db\n");
}

TEST(Completion, EachShellHasAScriptThatAsksTheProgram) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    EXPECT_THAT(*completion_script(shell), HasSubstr("heddle __complete")) << shell;
  }
}

}  // namespace
}  // namespace heddle::cmd
