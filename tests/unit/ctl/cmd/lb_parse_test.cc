#include "ctl/cmd/lb_parse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heddle::cmd {
namespace {

using testing::HasSubstr;

TEST(LbParse, Listeners) {
  EXPECT_EQ(parse_listen("http://0.0.0.0:8080")->address.format(), "0.0.0.0:8080");
  EXPECT_EQ(parse_listen("http://192.0.2.1")->address.port, 80);
  EXPECT_EQ(parse_listen("http://[::]:80/")->address.format(), "[::]:80");
  EXPECT_EQ(parse_listen("tcp://10.0.0.1:5432")->protocol, model::AppProtocol::tcp);
  for (const char* bad : {"", "0.0.0.0:80", "https://0.0.0.0:443", "http://", "tcp://10.0.0.1",
                          "http://0.0.0.0:0", "http://name:80", "http://0.0.0.0:99999"}) {
    EXPECT_FALSE(parse_listen(bad).has_value()) << bad;
  }
}

TEST(LbParse, Targets) {
  EXPECT_EQ(*parse_target("web:8080"),
            (model::TargetGroup{"web", "web", 8080, model::LbAlgorithm::round_robin}));
  EXPECT_EQ(*parse_target("blue=web:80,least-request"),
            (model::TargetGroup{"blue", "web", 80, model::LbAlgorithm::least_request}));
  for (const char* bad : {"", "web", "web:", "web:0", ":80", "=web:80", "a b:80", "web:80,fastest",
                          "web:80,round-robin,x", "web:8o"}) {
    EXPECT_FALSE(parse_target(bad).has_value()) << bad;
  }
}

TEST(LbParse, Rules) {
  const auto rule = parse_rule("host=*.example.org, path=/api/* -> api");
  ASSERT_TRUE(rule.has_value()) << rule.error().text();
  EXPECT_EQ(rule->host, "*.example.org");
  EXPECT_EQ(rule->path_prefix, "/api/");
  EXPECT_EQ(rule->target_group, "api");
  EXPECT_EQ(parse_rule("path=/*->all")->path_prefix, "/");
  for (const char* bad :
       {"", "-> web", "path=/x*", "path=/x -> web", "path=x* -> web", "host= -> web",
        "host=a*.org -> web", "host=a,host=b -> web", "method=GET -> web", "path=/a*b* -> web"}) {
    const auto refused = parse_rule(bad);
    ASSERT_FALSE(refused.has_value()) << bad;
    EXPECT_EQ(refused.error().code(), Errc::invalid);
  }
  EXPECT_THAT(parse_rule("path=/x -> web").error().text(), HasSubstr("ends with '*'"));
}

}  // namespace
}  // namespace heddle::cmd
