#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json/parse.hpp>

#include "tests/unit/ctl/cmd/invocation.h"

namespace heddle::cmd {
namespace {

using testing::HasSubstr;

constexpr const char* kFlow =
    "last: 8 flows { time_us: 1767323045000123 verdict: 'dropped' reason: 'no_endpoint' "
    "network: 'app' protocol: 'udp' from: '10.40.0.5:40000' from_workload: 'web' "
    "to: '10.40.0.9:53' bytes: 60 }";

TEST(FlowsCommand, AsksFromNowOnAndPrintsALineForEach) {
  test::FakeDaemon daemon;
  daemon.reply("ReadFlows", kFlow);
  const auto result =
      invoke(daemon, {"flows", "--for", "1", "--workload", "web", "--service", "db", "--verdict",
                      "dropped", "--reason", "no_endpoint", "--one-of", "10"});
  EXPECT_EQ(result.status, kDone) << result.err;
  EXPECT_THAT(result.out, HasSubstr("03:04:05.000123"));
  EXPECT_THAT(result.out, HasSubstr("10.40.0.5:40000 (web)"));
  EXPECT_THAT(result.out, HasSubstr("no_endpoint\n"));
  ASSERT_GE(daemon.calls().size(), 2u);
  EXPECT_EQ(daemon.calls()[0].request,
            "one_of: 10 workload: \"web\" service: \"db\" verdict: \"dropped\" reason: "
            "\"no_endpoint\"");
  EXPECT_THAT(daemon.calls()[1].request, HasSubstr("after: 8 one_of: 10 wait_ms: "));
}

TEST(FlowsCommand, JsonIsAnObjectALine) {
  test::FakeDaemon daemon;
  daemon.reply("ReadFlows", kFlow);
  const auto result = invoke(daemon, {"flows", "--for", "1", "--format", "json"});
  const auto line = boost::json::parse(result.out.substr(0, result.out.find('\n')));
  EXPECT_EQ(line.at("time"), "2026-01-02T03:04:05.000123Z");
  EXPECT_EQ(line.at("reason"), "no_endpoint");
  EXPECT_EQ(line.at("bytes"), 60);
}

TEST(FlowsCommand, SaysWhatWasLostBesideTheFlows) {
  test::FakeDaemon daemon;
  daemon.reply("ReadFlows", "last: 8 lost: 3");
  const auto result = invoke(daemon, {"flows", "--for", "1"});
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("3 not recorded"));
}

TEST(FlowsCommand, BadNumbersAreUsageErrors) {
  test::FakeDaemon daemon;
  EXPECT_EQ(invoke(daemon, {"flows", "--for", "0"}).status, kUsage);
  EXPECT_EQ(invoke(daemon, {"flows", "--one-of", "x"}).status, kUsage);
  EXPECT_EQ(invoke(daemon, {"flows", "--follow", "--for", "3"}).status, kUsage);
  EXPECT_TRUE(daemon.calls().empty());
}

}  // namespace
}  // namespace heddle::cmd
