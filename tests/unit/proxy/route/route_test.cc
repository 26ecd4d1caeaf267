#include "proxy/route/route.h"

#include <gtest/gtest.h>

namespace heddle::route {
namespace {

using snapshot::Condition;
using snapshot::FixedResponse;
using snapshot::StringMatch;

snapshot::Rule rule(std::uint32_t priority, int status, std::vector<Condition> conditions) {
  snapshot::Rule out;
  out.priority = priority;
  out.conditions = std::move(conditions);
  FixedResponse response;
  response.status = status;
  out.action = response;
  return out;
}

Condition condition(Condition::Of of, StringMatch::How how, std::string text,
                    std::string header = "") {
  Condition out;
  out.of = of;
  out.match.how = how;
  out.match.text = std::move(text);
  out.header = std::move(header);
  return out;
}

// The status of the action chosen, 0 if none.
int choose(const snapshot::Listener& listener, std::string_view request) {
  http::RequestHead head;
  EXPECT_FALSE(http::parse_request(request, {}, head)) << request;
  const snapshot::Action* action = find_action(listener, head);
  return action ? std::get<FixedResponse>(*action).status : 0;
}

std::string get(std::string_view path, std::string_view host, std::string_view extra = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: " + std::string(host) + "\r\n" +
         std::string(extra) + "\r\n";
}

TEST(FindAction, AllConditionsOfTheFirstRuleThatHolds) {
  snapshot::Listener listener;
  listener.rules = {
      rule(1, 201,
           {condition(Condition::Of::path, StringMatch::How::prefix, "/api/"),
            condition(Condition::Of::method, StringMatch::How::exact, "POST")}),
      rule(2, 202, {condition(Condition::Of::path, StringMatch::How::prefix, "/api/")}),
      rule(3, 203, {condition(Condition::Of::host, StringMatch::How::suffix, ".example.org")}),
      rule(4, 204, {condition(Condition::Of::header, StringMatch::How::exact, "b", "x-a")}),
  };
  EXPECT_EQ(choose(listener, get("/api/x?y", "h")), 202);
  EXPECT_EQ(choose(listener, "POST /api/x HTTP/1.1\r\nHost: h\r\n\r\n"), 201);
  EXPECT_EQ(choose(listener, get("/", "WWW.Example.ORG:8080")), 203);
  EXPECT_EQ(choose(listener, get("/", "example.org")), 0);
  EXPECT_EQ(choose(listener, get("/", "h", "X-A: a\r\nX-a: b\r\n")), 204);
  FixedResponse fallback;
  fallback.status = 205;
  listener.default_action = fallback;
  EXPECT_EQ(choose(listener, get("/", "h")), 205);
  EXPECT_EQ(choose(listener, get("/?/api/", "h")), 205) << "the query is not the path";
}

TEST(FindAction, Ipv6HostsCompareWithoutThePort) {
  snapshot::Listener listener;
  listener.rules = {
      rule(1, 201, {condition(Condition::Of::host, StringMatch::How::exact, "[::1]")})};
  EXPECT_EQ(choose(listener, get("/", "[::1]:8080")), 201);
  EXPECT_EQ(choose(listener, get("/", "[::1]")), 201);
}

TEST(ChooseGroup, FollowsWeights) {
  snapshot::Forward forward;
  forward.groups = {{"a", 3}, {"b", 1}, {"off", 0}};
  int a = 0;
  for (std::uint64_t random = 0; random < 400; ++random) {
    const std::string& name = choose_group(forward, random);
    EXPECT_NE(name, "off");
    if (name == "a") ++a;
  }
  EXPECT_EQ(a, 300);
}

}  // namespace
}  // namespace heddle::route
