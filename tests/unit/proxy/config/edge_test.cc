#include "proxy/config/edge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/config/keys.h"

namespace heddle::config {
namespace {

using snapshot::Condition;
using snapshot::StringMatch;
using ::testing::HasSubstr;

std::string refusal(const std::string& text) {
  const auto edge = parse_edge(text, "edge.yaml");
  return edge ? "" : edge.error().text();
}

// A listener and group that are right, with more of a rule, listener or group.
std::string with_rule(const std::string& lines) {
  return "target-groups: {app: {targets: [127.0.0.1:1]}}\nlisteners:\n  web:\n"
         "    bind: 127.0.0.1:8080\n    rules:\n      - when: {path: /x}\n" +
         lines;
}
std::string with_group(const std::string& lines) {
  return "listeners: {web: {bind: \"127.0.0.1:8080\", default: {forward: app}}}\n"
         "target-groups:\n  app:\n    targets: [127.0.0.1:1]\n" +
         lines;
}

TEST(Edge, ReadsListenersRulesAndGroups) {
  const auto edge = parse_edge(R"(
listeners:
  web:
    bind: "[::]:8080"
    idle-timeout: 5s
    rules:
      - priority: 20
        when:
          host: ["*.Example.org", {regex: "a|b"}]
          path: {prefix: /api/}
          method: [GET, HEAD]
          headers: {X-Env: canary}
          query: {v: ["1", "2"]}
          source: [10.0.0.0/8, "::1"]
        forward: {groups: {app: 9, db: 1}}
        timeout: 3s
      - priority: 10
        when: {path: /old}
        redirect: {status: 308, path: /new}
    default:
      respond: {status: 404, body: none}
      response-headers: {set: {Cache-Control: no-store}}
  sql: {bind: "127.0.0.1:5432", kind: tcp, default: {forward: db}}
target-groups:
  app:
    balance: least-request
    connect-timeout: 250ms
    targets:
      - 10.0.0.1:80
      - {address: "[fd00::1]:80", weight: 3}
  db: {protocol: tcp, targets: [db.internal:5432]}
admin: {bind: "127.0.0.1:9901", socket: /run/x.sock}
resolve-every: 10s
)",
                               "edge.yaml");
  ASSERT_TRUE(edge) << edge.error().text();
  ASSERT_EQ(edge->snapshot.listeners.size(), 2U);
  const snapshot::Listener& web = edge->snapshot.listeners[0];
  EXPECT_EQ(web.socket, "[::]:8080");
  EXPECT_EQ(web.idle_timeout, std::chrono::seconds(5));
  ASSERT_EQ(web.rules.size(), 2U);
  EXPECT_EQ(web.rules[0].priority, 10U) << "in their order";
  const auto& conditions = web.rules[1].conditions;
  ASSERT_EQ(conditions.size(), 6U);
  EXPECT_EQ(conditions[0].any[0], (StringMatch{StringMatch::How::wildcard, "*.example.org"}));
  EXPECT_EQ(conditions[0].any[1], (StringMatch{StringMatch::How::regex, "a|b"}));
  EXPECT_EQ(conditions[3].name, "X-Env");
  EXPECT_EQ(conditions[5].sources.size(), 2U);
  EXPECT_EQ(web.rules[1].treatment.timeout, std::chrono::seconds(3));
  EXPECT_EQ(std::get<snapshot::Forward>(web.rules[1].action).groups[0].weight, 9U);
  EXPECT_EQ(std::get<snapshot::Redirect>(web.rules[0].action).path, "/new");
  ASSERT_EQ(edge->snapshot.groups.size(), 2U);
  EXPECT_EQ(edge->snapshot.groups[0].targets[1].weight, 3U);
  EXPECT_EQ(edge->snapshot.groups[0].connect_timeout, std::chrono::milliseconds(250));
  ASSERT_EQ(edge->names.size(), 1U);
  EXPECT_EQ(edge->names[0].host, "db.internal");

  const auto snapshot =
      resolved(*edge, {{"db.internal", {IpAddr::v4(0x0a000001), IpAddr::v4(0x0a000002)}}});
  ASSERT_EQ(snapshot.groups[1].targets.size(), 2U);
  EXPECT_EQ(snapshot.groups[1].targets[1].id, "10.0.0.2:5432");
}

TEST(Edge, ErrorsHaveAPlaceAKeyAndTheNearestName) {
  EXPECT_EQ(refusal("listners: {}\n"),
            "edge.yaml:1:1: listners: unknown key; did you mean \"listeners\"?");
  EXPECT_EQ(refusal(with_rule("        forward: ap\n")),
            "edge.yaml:7:18: listeners.web.rules[0].forward: no target group is called \"ap\"; "
            "did you mean \"app\"?");
  EXPECT_EQ(refusal(with_group("    balance: roundrobin\n")),
            "edge.yaml:5:14: target-groups.app.balance: \"roundrobin\" is no way to balance; did "
            "you mean \"round-robin\"?");
  EXPECT_THAT(refusal(with_rule("        forward: app\n        rewrite: {path: {prefx: /}}\n")),
              HasSubstr("edge.yaml:8:26: listeners.web.rules[0].rewrite.path.prefx: unknown key"));
  EXPECT_EQ(refusal(""), "edge.yaml: listeners: a configuration needs at least one listener");
}

using Refused = std::pair<std::string, const char*>;

// Each: a file that is wrong, and words that its error must have.
void expect_refused(const std::vector<Refused>& cases) {
  for (const auto& [text, words] : cases) EXPECT_THAT(refusal(text), HasSubstr(words)) << text;
}

TEST(EdgeRefusal, OfActions) {
  expect_refused({
      {with_rule(""), "forward: is missing"},
      {with_rule("        forward: app\n        respond: {status: 200}\n"), "one of forward"},
      {with_rule("        respond: {status: 99}\n"), "from 200 to 599"},
      {with_rule("        redirect: {}\n"), "leads back"},
      {with_rule("        redirect: {status: 304, path: /x}\n"), "must be 301"},
      {with_rule("        redirect: {location: /x, port: 1}\n"), "leave the other parts"},
      {with_rule("        redirect: {protocol: gopher}\n"), "must be http, https"},
      {with_rule("        respond: {status: 200}\n        timeout: 1s\n"), "forwarded requests"},
      {with_rule("        forward: {groups: {app: 0}}\n"), "one above 0"},
      {with_rule("        forward: {groups: {app: -1}}\n"), "weight must be"},
      {with_rule("        forward: app\n        request-headers: {set: {Host: x}}\n"),
       "cannot be edited"},
      {with_rule("        forward: app\n        request-headers: {set: {a b: x}}\n"),
       "cannot be edited"},
      {with_rule("        forward: app\n        request-headers: {add: {X-A: \"a\\nb\"}}\n"),
       "control characters"},
      {with_rule("        forward: app\n        request-headers: {set: {X-Forwarded-For: x}}\n"),
       "set by the proxy"},
      {with_rule("        forward: app\n        rewrite: {path: {with: /}}\n"), "either prefix"},
      {with_rule("        forward: app\n        rewrite: {path: {regex: /(, with: /}}\n"),
       "regular expression"},
      {with_rule("        forward: app\n        rewrite: {path: {prefix: /, with: /a b}}\n"),
       "what a path may have"},
  });
}

TEST(EdgeRefusal, OfTreatmentsAndConditions) {
  expect_refused({
      {with_rule("        forward: app\n        rewrite: {host: \"a b\"}\n"), "must be a host"},
      {with_rule("        forward: app\n        rate-limit: {rate: 5}\n"), "100/s"},
      {with_rule("        forward: app\n        rate-limit: {rate: 5/s, by: day}\n"),
       "must be rule"},
      {with_rule("        forward: app\n        fault: {delay: {for: 1h}}\n"), "at most 5m"},
      {with_rule("        forward: app\n        fault: {abort: {share: 200%}}\n"), "such as 5%"},
      {with_rule("        forward: app\n      - priority: 1\n        when: {path: /y}\n        "
                 "forward: app\n"),
       "which of them is first"},
      {with_rule("        forward: app\n      - {forward: app}\n"), "is `default`"},
      {with_rule("        forward: app\n      - {when: {path: x}, forward: app}\n"),
       "begins with /"},
      {with_rule("        forward: app\n      - {when: {host: \"a:80\"}, forward: app}\n"),
       "without its port"},
      {with_rule("        forward: app\n      - {when: {host: {regex: \"(\"}}, forward: app}\n"),
       "regular expression"},
      {with_rule("        forward: app\n      - {when: {source: 10.0.0.1/8}, forward: app}\n"),
       "such as 10.0.0.0/8"},
      {with_rule("        forward: app\n      - {when: {method: \"G T\"}, forward: app}\n"),
       "no method"},
      {with_rule("        forward: app\n      - {when: {}, forward: app}\n"), "no condition"},
  });
}

TEST(EdgeRefusal, OfGroups) {
  expect_refused({
      {with_group("    protocol: http9\n"), "no protocol"},
      {with_group("    connect-timeout: 0s\n"), "more than 0"},
      {with_group("    connect-timeout: 5\n"), "must be a time"},
      {with_group("    hash-by: source\n"), "acts with balance"},
      {with_group("    balance: maglev\n    hash-by: color\n"), "{header: NAME}"},
      {with_group("    balance: maglev\n    hash-by: {hader: x}\n"), "did you mean \"header\""},
      {with_group("    prefer: zone\n"), "needs `locality`"},
      {with_group("    prefer: planet\n"), "must be node"},
      {with_group("    sticky: {cookie: \"a b\"}\n"), "a cookie's name"},
      {with_group("    protocol: tcp\n    sticky: {cookie: a}\n"), "needs cookies"},
      {with_group("    panic-threshold: 5\n"), "such as 5%"},
      {with_group("    limits: {requests: 0}\n"), "from 1 to"},
      {with_group("    outlier: {failures: 0}\n"), "from 1 to"},
      {with_group("    outlier: {base: 10s, most: 1s}\n"), "less than base"},
      {with_group("    retry: {on: 5xy}\n"), "did you mean \"5xx\""},
      {with_group("    retry: {on: [200]}\n"), "no status from 400"},
      {with_group("    retry: {attempts: 99}\n"), "from 1 to 10"},
      {with_group("    protocol: tcp\n    retry: {}\n"), "acts on requests"},
      {with_group("    health-check: {kind: icmp}\n"), "http or tcp"},
      {with_group("    health-check: {kind: tcp, path: /x}\n"), "there is none"},
      {with_group("    health-check: {path: x}\n"), "must be a path"},
      {with_group("    health-check: {status: 300-200}\n"), "or a range"},
      {with_group("    health-check: {interval: 1ms}\n"), "at least 100ms"},
  });
}

TEST(EdgeRefusal, OfListenersAndTheRest) {
  expect_refused({
      {"listeners: {web: {bind: \"127.0.0.1:80\"}}", "where do requests go"},
      {"listeners: {web: {bind: \"127.0.0.1\", default: {respond: {status: 200}}}}",
       "ADDRESS:PORT"},
      {"listeners: {web: {bind: \"127.0.0.1:0\", default: {respond: {status: 200}}}}",
       "ADDRESS:PORT"},
      {"listeners: {a: {bind: \"127.0.0.1:80\", default: {respond: {status: 200}}}, b: {bind: "
       "\"127.0.0.1:80\", default: {respond: {status: 200}}}}",
       "bound by listener \"a\""},
      {"listeners: {t: {bind: \"127.0.0.1:80\", kind: tcp, default: {respond: {status: 200}}}}",
       "`forward` alone"},
      {"listeners: {\"a b\": {bind: \"127.0.0.1:80\"}}", "a name is"},
      {"target-groups: {g: {targets: []}}", "at least one"},
      {"target-groups: {g: {targets: [\"1.2.3.4.5:80\"]}}", "NAME:PORT"},
      {"target-groups: {g: {targets: [\"a:0\"]}}", "NAME:PORT"},
      {"target-groups: {g: {targets: [a:1, a:1]}}", "stands twice"},
      {"target-groups: {g: {targets: [{address: a:1, weight: 0}]}}", "from 1 to"},
      {"access-log: {to: \"-\", format: \"%{staus}\"}", "did you mean %{status}?"},
      {"access-log: {format: json}", "a path, - or none"},
      {"admin: {bind: here}", "ADDRESS:PORT"},
      {"admin: {socket: here}", "absolute path"},
      {"resolve-every: 1ms", "at least 1s"},
  });
}

TEST(Edge, TargetsHaveLevelsByPriorityAndDistance) {
  const auto edge = parse_edge(R"(
locality: {node: n1, zone: a}
listeners: {web: {bind: "127.0.0.1:1", default: {forward: app}}}
target-groups:
  app:
    prefer: node
    targets:
      - {address: 10.0.0.1:1, node: n1, zone: a}
      - {address: 10.0.0.2:1, node: n2, zone: a}
      - {address: 10.0.0.3:1, node: n3, zone: b}
      - {address: 10.0.0.4:1, node: n1, zone: a, priority: 1}
      - 10.0.0.5:1
)",
                               "edge.yaml");
  ASSERT_TRUE(edge) << edge.error().text();
  std::vector<std::uint32_t> levels;
  for (const auto& target : edge->snapshot.groups[0].targets) levels.push_back(target.level);
  EXPECT_THAT(levels, ::testing::ElementsAre(0, 1, 2, 3, 2));
}

// Goal: a file made to hurt costs bounded time and memory.
TEST(Edge, BombsAreRefused) {
  std::string aliases = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    aliases += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) aliases += (j ? ", *a" : "*a") + std::to_string(i - 1);
    aliases += "]\n";
  }
  EXPECT_THAT(refusal(aliases), HasSubstr("aliases nested in aliases"));
  EXPECT_THAT(refusal(std::string(100'000, '[')), HasSubstr("nested deeper"));
  EXPECT_THAT(refusal("a: " + std::string(8 << 20, 'x')), HasSubstr("larger than"));
}

}  // namespace
}  // namespace heddle::config
