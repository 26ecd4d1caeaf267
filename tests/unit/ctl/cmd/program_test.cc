#include "ctl/cmd/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/ctl/cmd/invocation.h"

namespace heddle::cmd {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kNowhere = "/tmp/heddle-no-such.sock";

// A usage error: status 2, nothing on standard output, `heddle: ` and where to look.
void expect_usage(const std::vector<std::string>& line, const std::string& text,
                  const std::string& see) {
  const auto result = invoke(kNowhere, line);
  EXPECT_EQ(result.status, kUsage) << text;
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, "heddle: " + text + "\nSee '" + see + " --help'.\n");
}

TEST(Program, MistypedWordsGetTheNearestOne) {
  expect_usage({"netwrok", "ls"}, "unknown command 'netwrok'; did you mean 'network'?", "heddle");
  expect_usage({"network", "craete", "a"}, "unknown command 'craete'; did you mean 'create'?",
               "heddle network");
  expect_usage({"network", "create", "--subnte=1", "a"},
               "unknown flag '--subnte'; did you mean '--subnet'?", "heddle network create");
  expect_usage({"xyzzy-quux"}, "unknown command 'xyzzy-quux'", "heddle");
}

TEST(Program, MissingAndSurplusWordsAreNamed) {
  expect_usage({"network"},
               "'heddle network' needs a command: create, ls, inspect, update, rm, prune, connect, "
               "disconnect",
               "heddle network");
  expect_usage({"network", "create"}, "NAME is missing", "heddle network create");
  expect_usage({"network", "connect", "app"}, "WORKLOAD is missing", "heddle network connect");
  expect_usage({"network", "ls", "app"}, "unexpected argument 'app'", "heddle network ls");
  expect_usage({"network", "create", "a", "b"}, "unexpected argument 'b'", "heddle network create");
  expect_usage({"network", "create", "-d", "a", "-d", "b", "c"},
               "--driver takes one value; 2 were given", "heddle network create");
  expect_usage({"network", "create", "--driver"}, "--driver needs DRIVER", "heddle network create");
}

TEST(Program, ValuesThatCannotBeAreUsageErrors) {
  expect_usage({"network", "ls", "--format", "xml"},
               "--format: 'xml' is unknown; choose table or json", "heddle network ls");
  expect_usage({"network", "ls", "--timeout", "0"},
               "--timeout: '0' is not a number from 1 to 86400", "heddle network ls");
  expect_usage({"network", "create", "--label", "x", "a"}, "--label 'x' must be KEY=VALUE",
               "heddle network create");
  expect_usage({"network", "create", "--opt", "a=1", "--opt", "a=2", "b"}, "--opt gives 'a' twice",
               "heddle network create");
  expect_usage({"swarm", "init", "--api-port", "70000"},
               "--api-port '70000' must be a number from 1 to 65535", "heddle swarm init");
  expect_usage({"swarm", "join-token", "boss"}, "ROLE 'boss' is unknown; choose worker or manager",
               "heddle swarm join-token");
  expect_usage({"run", "--restart", "maybe", "--", "true"},
               "--restart 'maybe' is unknown; choose no, on-failure or always", "heddle run");
  expect_usage(
      {"run", "--dns", "192.0.2.53", "--label", "heddle.dns.servers=192.0.2.54", "--", "true"},
      "--dns: --label heddle.dns.servers says the same differently; give one of them",
      "heddle run");
  expect_usage({"run", "--dns", "ns.example", "--", "true"},
               "--dns: 'ns.example' is not an IP address", "heddle run");
  expect_usage(
      {"run", "--dns", "127.0.0.11", "--", "true"},
      "--dns: 127.0.0.11 is no server that this host can ask; name one that answers it, or "
      "none for the host's own",
      "heddle run");
  constexpr const char* kNoWord =
      " is no word of resolv.conf: up to 253 letters, digits and signs, without blanks, # and ;";
  expect_usage({"run", "--dns-search", "a.example b.example", "--", "true"},
               std::string("--dns-search: 'a.example b.example'") + kNoWord, "heddle run");
  expect_usage({"run", "--dns-search", "", "--", "true"}, std::string("--dns-search: ''") + kNoWord,
               "heddle run");
  expect_usage({"run", "--dns-opt", "ndots:2#", "--", "true"},
               std::string("--dns-option: 'ndots:2#'") + kNoWord, "heddle run");
  std::vector<std::string> many = {"run"};
  for (int i = 0; i < 33; ++i) many.insert(many.end(), {"--dns-search", "a.example"});
  many.insert(many.end(), {"--", "true"});
  expect_usage(many, "--dns-search: 33 words are more than the 32 that it may have", "heddle run");
  expect_usage({"run", "--label", "heddle.dns.servers=ns.example", "--", "true"},
               "--label: heddle.dns.servers: 'ns.example' is not an IP address", "heddle run");
  expect_usage({"run", "--service", "web", "--", "true"}, "--service needs --network",
               "heddle run");
  expect_usage({"completion", "tcsh"}, "SHELL 'tcsh' is unknown; choose bash, zsh or fish",
               "heddle completion");
}

// CLI11 threw out of the program where a switch was no number.
TEST(Program, ASwitchIsOnOrOff) {
  expect_usage({"network", "create", "--internal=perhaps", "a"},
               "--internal: 'perhaps' must be true or false", "heddle network create");
  expect_usage({"system", "reset", "--force=false"},
               "reset removes every workload, network and load balancer of this node and stops its "
               "heddled; add --force to do it",
               "heddle system reset");
  test::FakeDaemon daemon;
  EXPECT_EQ(invoke(daemon, {"system", "reset", "-f", "-f"}).status, kDone);
}

TEST(Program, ACommandStandsBehindTwoDashesOnlyWhereOneBelongs) {
  expect_usage({"run", "--network", "app"},
               "give the command after `--`: heddle run ... -- COMMAND", "heddle run");
  expect_usage({"exec", "c1", "--"}, "give the command after `--`: heddle exec ... -- COMMAND",
               "heddle exec");
  expect_usage({"network", "ls", "--", "x"}, "'heddle network ls' takes no command after `--`",
               "heddle network ls");
}

TEST(Program, ArgumentsAreUtf8) {
  expect_usage({"network", "inspect", "\xff"}, "argument 3 is not UTF-8 text", "heddle");
  expect_usage({"network", "inspect", "\xed\xa0\x80"}, "argument 3 is not UTF-8 text", "heddle");
  expect_usage({"run", "--", "printf", "\xc3"}, "argument 4 is not UTF-8 text", "heddle");
}

TEST(Program, ADaemonThatDoesNotAnswerIs125AndHowToStartIt) {
  const auto result = invoke(kNowhere, {"network", "ls"});
  EXPECT_EQ(result.status, kUnreachable);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, AllOf(StartsWith("heddle: no heddled answers at /tmp/heddle-no-such"),
                                HasSubstr("systemctl start heddled")));
  const auto named = invoke("/tmp/other.sock", {"ps", "--socket", kNowhere});
  EXPECT_EQ(named.status, kUnreachable);
  EXPECT_THAT(named.err, HasSubstr(kNowhere));
}

TEST(Program, ARefusalOfTheDaemonIs1AlsoWhenItIsAboutAnArgument) {
  test::FakeDaemon daemon;
  daemon.fail("CreateNetwork", Error(Errc::invalid, "driver 'x' is unknown; choose bridge"));
  const auto result = invoke(daemon, {"network", "create", "-d", "x", "app"});
  EXPECT_EQ(result.status, kFailed);
  EXPECT_EQ(result.err, "heddle: driver 'x' is unknown; choose bridge\n");
}

TEST(Program, AnUnavailableOfTheDaemonsOwnIs1) {
  test::FakeDaemon daemon;
  daemon.fail("ListNodes", Error(Errc::unavailable, "no manager answers"));
  EXPECT_EQ(invoke(daemon, {"node", "ls"}).status, kFailed);
}

TEST(Program, EveryCommandHasHelpWithAnExample) {
  for (const std::vector<std::string>& line : {std::vector<std::string>{"network", "create"},
                                               {"run"},
                                               {"lb", "create"},
                                               {"swarm", "init"},
                                               {"verify"},
                                               {"completion"}}) {
    auto asking = line;
    asking.push_back("--help");
    const auto result = invoke(kNowhere, asking);
    EXPECT_EQ(result.status, kDone);
    EXPECT_EQ(result.err, "");
    EXPECT_THAT(result.out, AllOf(HasSubstr("Usage: heddle " + line.front()),
                                  HasSubstr("Examples:\n  heddle " + line.front())));
  }
}

TEST(Program, TheVersionNeedsNoDaemon) {
  EXPECT_EQ(invoke(kNowhere, {"version"}).out, "heddle " HEDDLE_VERSION "\n");
  EXPECT_EQ(invoke(kNowhere, {"--version"}).out, "heddle " HEDDLE_VERSION "\n");
}

}  // namespace
}  // namespace heddle::cmd
