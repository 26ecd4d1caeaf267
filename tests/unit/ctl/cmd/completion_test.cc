#include "ctl/cmd/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "common/base/check.h"
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
  EXPECT_EQ(completed(nowhere, {"network", "ls", "--format="}), "--format=json\n--format=table\n");
  EXPECT_EQ(completed(nowhere, {"network", "ls", "--filter=driver=b"}), "--filter=driver=bridge\n");
  EXPECT_EQ(completed(nowhere, {"network", "ls", "--nothing=b"}), "");
  EXPECT_EQ(completed(nowhere, {"run", "--", "ng"}), "");
  EXPECT_EQ(completed(nowhere, {"network", "inspect", ""}), "") << "silent without a daemon";
  EXPECT_EQ(completed(nowhere, {}), "");
}

TEST(Completion, LabsThatAreNotThereAreSilent) {
  const std::string nowhere = "/tmp/heddle-no-such.sock";
  EXPECT_EQ(completed(nowhere, {"lab", "gen"}), "generate\n");
  EXPECT_EQ(completed(nowhere, {"lab", "generate", "s"}), "star\nswarm\n");
  EXPECT_EQ(completed(nowhere, {"lab", "generate", "star", "--kind", ""}), "bridge\nlinux\n");
  EXPECT_EQ(completed(nowhere, {"lab", "exec", "--lab-dir", "/tmp/heddle-no-labs", ""}), "");
  EXPECT_EQ(
      completed(nowhere, {"lab", "capture", "--lab-dir", "/tmp/heddle-no-labs", "--name", ""}), "");
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

// They can be connected before heddled knows them.
TEST(Completion, ConnectTakesContainersOfTheEngines) {
  test::FakeDaemon daemon;
  daemon.reply("ListWorkloads", "workloads { name: 'web-1' }");
  daemon.reply("ListContainers", "references: ['docker:db', 'docker:web', 'podman:web']");
  EXPECT_EQ(completed(daemon.socket(), {"network", "connect", "app", ""}),
            "docker:db\ndocker:web\npodman:web\nweb-1\n");
  EXPECT_EQ(
      completed(daemon.socket(), {"network", "connect", "--ip", "10.0.0.1", "app", "docker:w"}),
      "docker:web\n");
  EXPECT_EQ(completed(daemon.socket(), {"network", "disconnect", "app", ""}), "web-1\n");
  EXPECT_EQ(completed(daemon.socket(), {"exec", ""}), "web-1\n");
  daemon.fail("ListContainers", Error(Errc::unavailable, "no"));
  EXPECT_EQ(completed(daemon.socket(), {"network", "connect", "app", ""}), "web-1\n");
}

// What bash's readline would do with one candidate: `words` as bash splits `line`.
std::string in_bash(const std::string& line, const std::string& words,
                    const std::string& candidate) {
  const std::string script =
      *completion_script("bash") +
      "compopt() { echo \"[$*]\"; }\n"
      "heddle() { shift; asked=$(printf '<%s>' \"$@\"); echo \"$asked\" >&3; "
      "echo '" +
      candidate +
      "'; }\n"
      "COMP_LINE='" +
      line + "' COMP_POINT=" + std::to_string(line.size()) + " COMP_WORDS=(" + words +
      ")\n"
      "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
      "_heddle 3>&1\necho \"${COMPREPLY[@]}\"\n";
  char file[] = "/tmp/heddle-completion-XXXXXX";
  const int fd = ::mkstemp(file);
  CHECK(fd >= 0 &&
        ::write(fd, script.data(), script.size()) == static_cast<ssize_t>(script.size()));
  ::close(fd);
  FILE* pipe = ::popen((std::string("bash ") + file).c_str(), "re");
  CHECK(pipe != nullptr);
  std::string out;
  char buffer[512];
  while (const std::size_t size = std::fread(buffer, 1, sizeof buffer, pipe))
    out.append(buffer, size);
  ::pclose(pipe);
  ::unlink(file);
  return out;
}

// Bash takes `:` and `=` for words, and replaces what comes after them alone.
TEST(Completion, BashPutsTogetherWhatItSplit) {
  EXPECT_EQ(in_bash("heddle network connect app docker:w", "heddle network connect app docker : w",
                    "docker:web"),
            "<network><connect><app><docker:w>\nweb\n");
  EXPECT_EQ(in_bash("heddle network connect app docker:", "heddle network connect app docker :",
                    "docker:web"),
            "<network><connect><app><docker:>\nweb\n");
  EXPECT_EQ(
      in_bash("heddle network ls -f driver=b", "heddle network ls -f driver = b", "driver=bridge"),
      "<network><ls><-f><driver=b>\nbridge\n");
  EXPECT_EQ(in_bash("heddle network ls -f dri", "heddle network ls -f dri", "driver="),
            "<network><ls><-f><dri>\n[-o nospace]\ndriver=\n");
  EXPECT_EQ(in_bash("heddle  network connect ", "heddle network connect \"\"", "app"),
            "<network><connect><>\napp\n");
}

TEST(Completion, EachShellHasAScriptThatAsksTheProgram) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    EXPECT_THAT(*completion_script(shell), HasSubstr("heddle __complete")) << shell;
  }
}

}  // namespace
}  // namespace heddle::cmd
