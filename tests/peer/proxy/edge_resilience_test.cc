#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/peer/proxy/edge_fixture.h"

namespace heddle::testing {
namespace {

using std::chrono::milliseconds;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// A target whose answers can be changed while it runs.
struct Moody {
  std::atomic<int> status{200};
  std::atomic<int> delay_ms{0};
  std::atomic<int> requests{0};
  std::atomic<int> checks{0};  // of them, for /healthz
  Backend backend;

  explicit Moody(std::string body)
      : backend([this, body = std::move(body)](int fd) {
          std::string rest;
          for (std::string head = read_head(fd, rest); !head.empty(); head = read_head(fd, rest)) {
            ++(head.starts_with("GET /healthz ") ? checks : requests);
            std::this_thread::sleep_for(milliseconds(delay_ms));
            if (!send_all(fd, "HTTP/1.1 " + std::to_string(status) + " S\r\nContent-Length: " +
                                  std::to_string(body.size()) + "\r\n\r\n" + body)) {
              return;
            }
          }
        }) {}
  std::string address() const { return "\"" + backend.address().format() + "\""; }
};

// Waits until it holds; false after 20 s.
template <class Holds>
bool eventually(Holds holds) {
  for (int i = 0; i < 1000; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(milliseconds(20));
  }
  return false;
}

class EdgeResilience : public EdgeTest {
 protected:
  void start_group(const std::string& keys, const std::string& targets,
                   const std::string& more = "") {
    start(listener("", "{forward: app}") + "target-groups:\n  app:\n" + keys + "    targets: [" +
          targets + "]\n" + more);
  }
};

TEST_F(EdgeResilience, BeyondALimitRequestsAreTurnedAway) {
  Moody slow("slow");
  slow.delay_ms = 2000;
  start_group("    limits: {requests: 2}\n", slow.address());
  std::vector<std::thread> clients;
  std::atomic<int> served{0};
  std::atomic<int> turned_away{0};
  for (int i = 0; i < 6; ++i) {
    clients.emplace_back([&] {
      const std::string answer = get("/");
      if (answer.starts_with("HTTP/1.1 200 ")) ++served;
      const bool told = answer.starts_with("HTTP/1.1 503 ") &&
                        answer.find("Retry-After: 1\r\n") != std::string::npos &&
                        answer.find("\"overloaded\"") != std::string::npos;
      if (told) ++turned_away;
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(served + turned_away, 6);
  EXPECT_GE(served, 2);
  EXPECT_GE(turned_away, 1);
  EXPECT_THAT(get("/"), StartsWith("HTTP/1.1 200 ")) << "places are given back";
  EXPECT_THAT(proxy_->admin("backends").text, HasSubstr("\"requests\":0"));
}

TEST_F(EdgeResilience, TheLimitOfAllGroupsCountsConnections) {
  Moody one("one");
  start_group("", one.address(), "limits: {connections: 1}\n");
  EXPECT_THAT(get("/"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(get("/"), StartsWith("HTTP/1.1 200 ")) << "the idle connection is used again";
  EXPECT_THAT(proxy_->admin("backends").text, StartsWith("{\"connections\":1,"));
  one.delay_ms = 3000;
  const int before = one.requests;
  std::thread first([&] { EXPECT_THAT(get("/"), StartsWith("HTTP/1.1 200 ")); });
  EXPECT_TRUE(eventually([&] { return one.requests > before; }));
  EXPECT_THAT(get("/"), HasSubstr("overloaded"));
  first.join();
}

TEST_F(EdgeResilience, WhoseAnswersFailIsLeftOutForAWhile) {
  Moody good("good");
  Moody bad("bad");
  bad.status = 500;
  start_group("    outlier: {failures: 3, base: 5s, most-share: 50%}\n",
              good.address() + ", " + bad.address());
  int failed = 0;
  for (int i = 0; i < 40; ++i) failed += get("/").starts_with("HTTP/1.1 500 ") ? 1 : 0;
  EXPECT_EQ(failed, 3);
  EXPECT_THAT(proxy_->admin("backends").text, HasSubstr("\"state\":\"ejected\""));
  EXPECT_THAT(proxy_->admin("metrics").text, HasSubstr("heddle_proxy_upstream_ejections_total{"));
  bad.status = 200;
  EXPECT_TRUE(eventually([&] { return get("/").ends_with("bad"); })) << "its time is over";
}

TEST_F(EdgeResilience, WhatFailedIsAskedElsewhere) {
  Moody good("good");
  Moody bad("bad");
  bad.status = 503;
  start_group("    retry: {on: [gateway-error], budget: 100%}\n",
              good.address() + ", " + bad.address());
  for (int i = 0; i < 10; ++i) EXPECT_THAT(get("/"), EndsWith("good"));
  EXPECT_GT(bad.requests, 0);
  // A request that may have had an effect is not repeated.
  int failed = 0;
  for (int i = 0; i < 10; ++i) {
    const std::string answer = exchange_with(
        "POST / HTTP/1.1\r\nHost: web\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx");
    failed += answer.starts_with("HTTP/1.1 503 ") ? 1 : 0;
  }
  EXPECT_GT(failed, 0);
  good.status = 503;
  EXPECT_THAT(get("/"), StartsWith("HTTP/1.1 503 S\r\n")) << "the last answer is passed on";
}

TEST_F(EdgeResilience, WhoIsSlowIsAskedForAPartOfTheTimeOnly) {
  Moody good("good");
  Moody slow("slow");
  slow.delay_ms = 6000;
  start_group(
      "    request-timeout: 20s\n    retry: {on: timeout, per-try-timeout: 2s, budget: "
      "100%}\n",
      good.address() + ", " + slow.address());
  for (int i = 0; i < 4; ++i) EXPECT_THAT(get("/"), EndsWith("good"));
}

TEST_F(EdgeResilience, ChecksTakeTargetsOutAndBringThemBack) {
  Moody good("good");
  Moody bad("bad");
  start_group(
      "    health-check: {path: /healthz, interval: 100ms, timeout: 5s, healthy: 2, "
      "unhealthy: 2}\n",
      good.address() + ", " + bad.address());
  EXPECT_TRUE(eventually([&] { return bad.checks > 0 && good.checks > 0; }));
  bad.status = 500;
  EXPECT_TRUE(eventually(
      [&] { return proxy_->admin("backends").text.find("unhealthy") != std::string::npos; }));
  const int before = bad.requests;
  for (int i = 0; i < 20; ++i) EXPECT_THAT(get("/"), EndsWith("good"));
  EXPECT_EQ(bad.requests, before);
  bad.status = 204;
  EXPECT_TRUE(eventually(
      [&] { return proxy_->admin("backends").text.find("unhealthy") == std::string::npos; }));
  // When all are sick, all are asked.
  good.status = 500;
  bad.status = 500;
  EXPECT_TRUE(eventually([&] {
    const std::string text = proxy_->admin("backends").text;
    const auto first = text.find("unhealthy");
    return first != std::string::npos && text.find("unhealthy", first + 1) != std::string::npos;
  }));
  EXPECT_THAT(get("/"), StartsWith("HTTP/1.1 500 "));
}

TEST_F(EdgeResilience, WhatTrafficProvesIsNotChecked) {
  Moody busy("busy");
  start_group("    health-check: {path: /healthz, interval: 3s}\n", busy.address());
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(7);
  EXPECT_THAT(get("/"), EndsWith("busy"));
  const int before = busy.checks;
  while (std::chrono::steady_clock::now() < end) {
    (void)get("/");
    std::this_thread::sleep_for(milliseconds(20));
  }
  EXPECT_LE(busy.checks - before, 1);
  EXPECT_TRUE(eventually([&] { return busy.checks - before > 1; })) << "silence is checked";
}

TEST_F(EdgeResilience, TcpChecksConnect) {
  auto there = std::make_unique<Moody>("there");
  const std::string address = there->address();
  Moody other("other");
  start_group("    health-check: {kind: tcp, interval: 100ms, unhealthy: 1}\n",
              address + ", " + other.address());
  there.reset();
  EXPECT_TRUE(eventually(
      [&] { return proxy_->admin("backends").text.find("unhealthy") != std::string::npos; }));
}

}  // namespace
}  // namespace heddle::testing
