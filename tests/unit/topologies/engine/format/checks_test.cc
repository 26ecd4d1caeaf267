#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "topologies/engine/format/lab.h"

namespace heddle::format {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

constexpr const char* kHead =
    "name: x\nhosts: {h1: , h2: }\ntopology: {nodes: {n1: , br: {kind: bridge}}}\n"
    "steps: [{on: h1, run: a, capture: vip}]\n";

Lab parse_good(const std::string& checks) {
  auto lab = parse_lab(kHead + ("checks:\n" + checks), "f.yml", {});
  EXPECT_TRUE(lab) << lab.error().text();
  return lab ? *std::move(lab) : Lab{};
}
std::string error_of(const std::string& checks) {
  const auto lab = parse_lab(kHead + ("checks:\n" + checks), "f.yml", {});
  return lab ? "" : lab.error().text();
}

TEST(Checks, EveryProbe) {
  const Lab lab = parse_good(R"(
- {on: h1, ping: h2}
- {name: web, on: [h1, h2], http: {url: "http://${h2.address}:80/", status: 204, contains: hi}, always: true, every: 50ms}
- {on: n1, tcp: "${vip}:80", never: true}
- {on: h1/client, dns: {name: web, type: AAAA, answers: ["fd00::1"]}, sometimes: true}
- {on: h1, exec: "test -e ${HOME}", eventually: 3s, timeout: 2s}
- {on: h1, throughput: {to: "h2:9001", at-least: 10mbit, time: 1s}}
- {verify: true}
)");
  ASSERT_EQ(lab.checks.size(), 7U);
  EXPECT_EQ(lab.checks[0].name, "ping h2");
  EXPECT_EQ(lab.checks[0].when, Check::When::eventually);
  EXPECT_EQ(std::get<probe::Http>(lab.checks[1].probe).url, "http://${h2.address}:80/");
  EXPECT_EQ(std::get<probe::Http>(lab.checks[1].probe).status, 204);
  EXPECT_EQ(lab.checks[1].when, Check::When::always);
  EXPECT_EQ(lab.checks[1].every, 50ms);
  EXPECT_THAT(lab.checks[1].on, ElementsAre("h1", "h2"));
  EXPECT_EQ(lab.checks[2].when, Check::When::never);
  EXPECT_THAT(std::get<probe::Dns>(lab.checks[3].probe).answers, ElementsAre("fd00::1"));
  EXPECT_EQ(lab.checks[4].within, 3s);
  EXPECT_EQ(lab.checks[4].timeout, 2s);
  EXPECT_DOUBLE_EQ(std::get<probe::Throughput>(lab.checks[5].probe).at_least, 1e7);
  EXPECT_TRUE(lab.checks[6].on.empty());  // all hosts that run heddled
}

TEST(Checks, EveryErrorNamesLineKeyAndTheNearestName) {
  EXPECT_THAT(error_of("- {on: h22, ping: h2}\n"),
              HasSubstr("f.yml:6:3: checks[0].on: no host or node \"h22\"; did you mean \"h2\"?"));
  EXPECT_THAT(error_of("- {on: br, ping: h2}\n"), HasSubstr("no host or node \"br\""));
  EXPECT_THAT(error_of("- {on: h1, ping: n1}\n"), HasSubstr("n1 is not on the underlay"));
  EXPECT_THAT(error_of("- {on: n1/w, ping: h1}\n"), HasSubstr("no host with heddled \"n1\""));
  EXPECT_THAT(error_of("- {ping: h2}\n"), HasSubstr("checks[0].on: missing"));
  EXPECT_THAT(error_of("- {on: h1}\n"), HasSubstr("looks at nothing"));
  EXPECT_THAT(error_of("- {on: h1, ping: h2, tcp: \"h2:1\"}\n"), HasSubstr("looks at two things"));
  EXPECT_THAT(error_of("- {on: h1, pin: h2}\n"), HasSubstr("did you mean \"ping\"?"));
  EXPECT_THAT(error_of("- {on: h1, tcp: h2}\n"), HasSubstr("must be HOST:PORT"));
  EXPECT_THAT(error_of("- {on: h1, http: \"https://h2/\"}\n"), HasSubstr("must be http://"));
  EXPECT_THAT(error_of("- {on: h1, http: {url: \"http://h2/\", statis: 1}}\n"),
              HasSubstr("did you mean \"status\"?"));
  EXPECT_THAT(error_of("- {on: h1, ping: h2, always: true, never: true}\n"),
              HasSubstr("does not go with"));
  EXPECT_THAT(error_of("- {on: h1, ping: h2, always: false}\n"), HasSubstr("must be true"));
  EXPECT_THAT(error_of("- {on: h1, ping: h2, every: 1ms}\n"), HasSubstr("at least 10ms"));
  EXPECT_THAT(error_of("- {on: h1, throughput: {to: \"h2:1\"}}\n"), HasSubstr("says no bound"));
  EXPECT_THAT(error_of("- {on: h1, throughput: {to: \"h2:1\", at-least: 10}}\n"),
              HasSubstr("at-least"));
  EXPECT_THAT(error_of("- {on: h1, dns: {name: a, type: MX}}\n"), HasSubstr("A or AAAA"));
}

TEST(Checks, VariablesThatNobodyKnowsAreMistakes) {
  EXPECT_THAT(error_of("- {on: h1, http: \"http://${h2.adress}/\"}\n"),
              HasSubstr("${h2.adress} is captured by no step and built in nowhere; did you mean "
                        "\"h2.address\"?"));
  parse_good("- {on: h1, exec: \"echo ${h2.adress}\"}\n");  // the shell's
}

TEST(Checks, BoundsOfFidelityAndTheSeed) {
  const auto lab = parse_lab(
      "name: x\nseed: 7\nfidelity: {max-delay-error: 2ms, max-stall: 200ms}\n", "f.yml", {});
  ASSERT_TRUE(lab) << lab.error().text();
  EXPECT_EQ(lab->seed, 7U);
  EXPECT_EQ(lab->fidelity.max_delay_error, 2ms);
  EXPECT_EQ(lab->fidelity.max_stall, 200ms);
  for (const char* bad : {"seed: -1", "seed: x", "fidelity: {max-stal: 1s}", "fidelity: 3"})
    EXPECT_FALSE(parse_lab("name: x\n" + std::string(bad) + "\n", "f.yml", {})) << bad;
}

}  // namespace
}  // namespace heddle::format
