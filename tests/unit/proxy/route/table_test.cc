#include "proxy/route/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "proxy/balance/random.h"

namespace heddle::route {
namespace {

using snapshot::Condition;
using snapshot::FixedResponse;
using snapshot::StringMatch;
using ::testing::HasSubstr;
using How = snapshot::StringMatch::How;

snapshot::Rule rule(std::uint32_t priority, int status, std::vector<Condition> conditions) {
  snapshot::Rule out;
  out.priority = priority;
  out.conditions = std::move(conditions);
  FixedResponse response;
  response.status = status;
  out.action = response;
  return out;
}

Condition any_of(Condition::Of of, std::vector<StringMatch> any, std::string name = "") {
  Condition out;
  out.of = of;
  out.any = std::move(any);
  out.name = std::move(name);
  return out;
}

Condition condition(Condition::Of of, How how, std::string text, std::string name = "") {
  return any_of(of, {{how, std::move(text)}}, std::move(name));
}

Condition from(std::string_view range) {
  Condition out;
  out.of = Condition::Of::source;
  out.sources = {*Prefix::parse(range)};
  return out;
}

std::shared_ptr<const Table> table_of(std::vector<snapshot::Rule> rules, int fallback = 0) {
  auto listener = std::make_shared<snapshot::Listener>();
  listener->name = "lb";
  listener->rules = std::move(rules);
  if (fallback) {
    FixedResponse response;
    response.status = fallback;
    listener->default_action = response;
  }
  auto table = Table::make(std::move(listener), nullptr);
  EXPECT_TRUE(table) << table.error().text();
  return *table;
}

// The status of the action chosen, 0 if none.
int choose(const Table& table, std::string_view request, std::string_view client = "192.0.2.1") {
  http::RequestHead head;
  EXPECT_FALSE(http::parse_request(request, {}, head)) << request;
  const Decision decision = table.find(head, client);
  return decision.action ? std::get<FixedResponse>(*decision.action).status : 0;
}

std::string get(std::string_view path, std::string_view host, std::string_view extra = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: " + std::string(host) + "\r\n" +
         std::string(extra) + "\r\n";
}

TEST(Table, AllConditionsOfTheFirstRuleThatHolds) {
  const std::vector<snapshot::Rule> rules = {
      rule(1, 201,
           {condition(Condition::Of::path, How::prefix, "/api/"),
            condition(Condition::Of::method, How::exact, "POST")}),
      rule(2, 202, {condition(Condition::Of::path, How::prefix, "/api/")}),
      rule(3, 203, {condition(Condition::Of::host, How::suffix, ".example.org")}),
      rule(4, 204, {condition(Condition::Of::header, How::exact, "b", "x-a")}),
  };
  const auto table = table_of(rules);
  EXPECT_EQ(choose(*table, get("/api/x?y", "h")), 202);
  EXPECT_EQ(choose(*table, "POST /api/x HTTP/1.1\r\nHost: h\r\n\r\n"), 201);
  EXPECT_EQ(choose(*table, get("/", "WWW.Example.ORG:8080")), 203);
  EXPECT_EQ(choose(*table, get("/", "example.org")), 0);
  EXPECT_EQ(choose(*table, get("/", "h", "X-A: a\r\nX-a: b\r\n")), 204);
  EXPECT_EQ(choose(*table_of(rules, 205), get("/", "h")), 205);
  EXPECT_EQ(choose(*table_of(rules, 205), get("/?/api/", "h")), 205) << "the query is not the path";
}

TEST(Table, OneOfAConditionsValuesIsEnough) {
  const auto table = table_of(
      {rule(1, 201,
            {any_of(Condition::Of::host, {{How::exact, "a.org"}, {How::wildcard, "*.b.org"}}),
             any_of(Condition::Of::path, {{How::exact, "/x"}, {How::regex, "/v[0-9]+/.*"}})})});
  EXPECT_EQ(choose(*table, get("/x", "a.org")), 201);
  EXPECT_EQ(choose(*table, get("/v12/y", "w.b.org")), 201);
  EXPECT_EQ(choose(*table, get("/v/y", "w.b.org")), 0);
  EXPECT_EQ(choose(*table, get("/x", "b.org")), 0);
}

TEST(Table, WildcardsMeanAnyTextAndAnyByte) {
  const auto matches = [](std::string_view pattern, std::string_view path) {
    const auto table = table_of(
        {rule(1, 201, {condition(Condition::Of::path, How::wildcard, std::string(pattern))})});
    return choose(*table, get(path, "h")) == 201;
  };
  EXPECT_TRUE(matches("/img/*", "/img/"));
  EXPECT_TRUE(matches("/img/*", "/img/a/b"));
  EXPECT_FALSE(matches("/img/*", "/img"));
  EXPECT_TRUE(matches("/*/pics", "/a/b/pics"));
  EXPECT_TRUE(matches("/a?c", "/abc"));
  EXPECT_FALSE(matches("/a?c", "/ac"));
  EXPECT_TRUE(matches("*.php", "/x.php"));
  EXPECT_FALSE(matches("*.php", "/xzphp")) << "a dot is a dot";
  EXPECT_TRUE(matches("/a+(b)**c", "/a+(b)xxc"));
}

TEST(Table, QueriesAndSources) {
  const auto table =
      table_of({rule(1, 201, {condition(Condition::Of::query, How::exact, "a b", "q")}),
                rule(2, 202, {condition(Condition::Of::query, How::wildcard, "*", "debug")}),
                rule(3, 203, {from("10.0.0.0/8")}), rule(4, 204, {from("fd00::/8")})});
  EXPECT_EQ(choose(*table, get("/?x=1&q=a%20b", "h")), 201);
  EXPECT_EQ(choose(*table, get("/?q=a+b&", "h")), 201);
  EXPECT_EQ(choose(*table, get("/?q=a%2", "h")), 0);
  EXPECT_EQ(choose(*table, get("/?debug", "h")), 202);
  EXPECT_EQ(choose(*table, get("/?&&=&debug=", "h")), 202);
  EXPECT_EQ(choose(*table, get("/?debugger=1", "h")), 0);
  EXPECT_EQ(choose(*table, get("/", "h"), "10.1.2.3"), 203);
  EXPECT_EQ(choose(*table, get("/", "h"), "::ffff:10.1.2.3"), 203);
  EXPECT_EQ(choose(*table, get("/", "h"), "fd12::1"), 204);
  EXPECT_EQ(choose(*table, get("/", "h"), ""), 0);
}

TEST(Table, Ipv6HostsCompareWithoutThePort) {
  const auto table =
      table_of({rule(1, 201, {condition(Condition::Of::host, How::exact, "[::1]")})});
  EXPECT_EQ(choose(*table, get("/", "[::1]:8080")), 201);
  EXPECT_EQ(choose(*table, get("/", "[::1]")), 201);
}

TEST(Table, ABadExpressionIsNamedWithItsRule) {
  auto listener = std::make_shared<snapshot::Listener>();
  listener->name = "lb";
  for (const char* bad : {"(", "a{2000}{2000}", "(?=x)", "\\1"}) {
    listener->rules = {rule(7, 201, {condition(Condition::Of::path, How::regex, bad)})};
    const auto table = Table::make(listener, nullptr);
    ASSERT_FALSE(table) << bad;
    EXPECT_THAT(table.error().text(), HasSubstr("listener 'lb': rule 7"));
  }
}

// Goal: expressions that take exponential time elsewhere cost what their text's length says.
// Method: a classic of them against the longest path that is let in.
TEST(Table, ExpressionsTakeLinearTime) {
  const auto table = table_of(
      {rule(1, 201, {condition(Condition::Of::path, How::regex, "/(a+)+(a|aa)*b")}),
       rule(2, 202, {condition(Condition::Of::path, How::wildcard, "/*a*a*a*a*a*a*a*a*a*b")})},
      404);
  const std::string request = get("/" + std::string(7000, 'a'), "h");
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(choose(*table, request), 404);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

// The rules one after another, as the index must behave.
int choose_linearly(const std::vector<snapshot::Rule>& rules, std::string_view request) {
  for (const snapshot::Rule& one : rules) {
    const int status = choose(*table_of({one}), request);
    if (status) return status;
  }
  return 0;
}

// Goal: the index finds what reading all rules in turn would. Method: random rules over a small
// alphabet of hosts and paths, so that many overlap; each request by both ways.
TEST(Table, TheIndexChangesNothing) {
  balance::Random random(7);
  const std::vector<StringMatch> hosts = {{How::exact, "a.org"},      {How::exact, "b.a.org"},
                                          {How::wildcard, "*.a.org"}, {How::suffix, ".org"},
                                          {How::wildcard, "b*"},      {How::regex, "[ab].*"}};
  const std::vector<StringMatch> paths = {
      {How::exact, "/x"},    {How::prefix, "/x"}, {How::prefix, "/x/y"}, {How::wildcard, "/x/*"},
      {How::wildcard, "*y"}, {How::exact, "/"},   {How::prefix, "/"},    {How::regex, "/x/?"}};
  const auto some = [&](const std::vector<StringMatch>& from) {
    std::vector<StringMatch> out;
    for (std::uint64_t i = 0; i <= random.below(2); ++i)
      out.push_back(from[random.below(from.size())]);
    return out;
  };
  for (int round = 0; round < 40; ++round) {
    std::vector<snapshot::Rule> rules;
    for (std::uint32_t i = 0; i < 12; ++i) {
      std::vector<Condition> conditions;
      if (random.below(3)) conditions.push_back(any_of(Condition::Of::host, some(hosts)));
      if (random.below(3)) conditions.push_back(any_of(Condition::Of::path, some(paths)));
      if (conditions.empty()) continue;
      rules.push_back(rule(i, 200 + static_cast<int>(i), std::move(conditions)));
    }
    const auto table = table_of(rules);
    for (const char* host : {"a.org", "b.a.org", "c.b.a.org", "c.org", "b"}) {
      for (const char* path : {"/", "/x", "/x/", "/x/y", "/x/y/z", "/zy"}) {
        const std::string request = get(path, host);
        EXPECT_EQ(choose(*table, request), choose_linearly(rules, request)) << host << path;
      }
    }
  }
}

TEST(Table, TenThousandHostsCostAboutWhatOneDoes) {
  std::vector<snapshot::Rule> rules;
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    rules.push_back(
        rule(i, 200 + static_cast<int>(i % 300),
             {condition(Condition::Of::host, How::exact, "h" + std::to_string(i) + ".example.org"),
              condition(Condition::Of::path, How::prefix, "/")}));
  }
  const auto large = table_of(rules, 404);
  rules.erase(rules.begin() + 1, rules.end());
  const auto small = table_of(rules, 404);
  http::RequestHead head;
  ASSERT_FALSE(http::parse_request(get("/", "h9999.example.org"), {}, head));
  const auto time = [&](const Table& table) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 2000; ++i) EXPECT_NE(table.find(head, "192.0.2.1").action, nullptr);
    return std::chrono::steady_clock::now() - start;
  };
  (void)time(*large);
  // Reading them in turn would be a thousand times as slow.
  EXPECT_LT(time(*large), 50 * time(*small));
}

TEST(Table, ALimitGoesOnInTheNextTable) {
  auto listener = std::make_shared<snapshot::Listener>();
  listener->rules = {rule(1, 201, {condition(Condition::Of::path, How::prefix, "/")})};
  listener->rules[0].treatment.rate_limit = snapshot::RateLimit{.per_second = 1, .burst = 1};
  const auto first = *Table::make(listener, nullptr);
  const auto second = *Table::make(std::make_shared<snapshot::Listener>(*listener), first.get());
  auto changed = std::make_shared<snapshot::Listener>(*listener);
  changed->rules[0].treatment.rate_limit->burst = 2;
  const auto third = *Table::make(changed, second.get());
  http::RequestHead head;
  ASSERT_FALSE(http::parse_request(get("/", "h"), {}, head));
  EXPECT_EQ(first->find(head, "").limiter, second->find(head, "").limiter);
  EXPECT_NE(second->find(head, "").limiter, third->find(head, "").limiter);
}

}  // namespace
}  // namespace heddle::route
