#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <thread>

#include "tests/peer/proxy/edge_fixture.h"
#include "tests/support/proxy/clients.h"

namespace heddle::testing {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// Answers each request with its own head as the body.
void echo_heads(int fd) {
  std::string rest;
  for (std::string head = read_head(fd, rest); !head.empty(); head = read_head(fd, rest)) {
    if (!send_all(fd, "HTTP/1.1 200 OK\r\nServer: backend\r\nX-Secret: 1\r\nContent-Length: " +
                          std::to_string(head.size()) + "\r\n\r\n" + head)) {
      return;
    }
  }
}

using Edge = EdgeTest;

TEST_F(Edge, RulesDoWhatTheySay) {
  Backend backend(echo_heads);
  start(listener(R"(      - when: {path: /fixed}
        respond: {status: 418, type: text/plain, body: short and stout}
        response-headers: {set: {X-Kind: teapot}}
      - when: {host: old.example.org}
        redirect: {status: 301, host: new.example.org, path: "/at/#{path}"}
      - when: {path: {prefix: /api/}, headers: {x-env: canary}}
        forward: app
        rewrite: {host: inner.example.org, path: {prefix: /api/, with: /v2/}}
        request-headers: {set: {X-Team: blue}, remove: [X-Env]}
        response-headers: {remove: [X-Secret], set: {Server: heddle}}
      - when: {query: {fail: "yes"}}
        forward: app
        fault: {abort: {status: 502}}
      - when: {path: /slow}
        forward: app
        fault: {delay: {for: 300ms}}
      - when: {path: /limited}
        forward: app
        rate-limit: {rate: 1/m, burst: 2}
      - when: {source: 10.0.0.0/8}
        respond: {status: 403}
)",
                 "{forward: app}") +
        "target-groups:\n" + group("app", backend.address()));

  EXPECT_THAT(get("/fixed"), StartsWith("HTTP/1.1 418 "));
  EXPECT_THAT(get("/fixed"), HasSubstr("X-Kind: teapot\r\n"));
  EXPECT_THAT(get("/fixed"), EndsWith("short and stout"));
  EXPECT_THAT(get("/a?b", "OLD.example.org"),
              HasSubstr("Location: http://new.example.org/at/a?b\r\n"));

  const std::string rewritten = get("/api/x?q=1", "web", "X-Env: canary\r\n");
  EXPECT_THAT(rewritten, HasSubstr("GET /v2/x?q=1 HTTP/1.1\r\n"));
  EXPECT_THAT(rewritten, HasSubstr("Host: inner.example.org\r\n"));
  EXPECT_THAT(rewritten, HasSubstr("X-Forwarded-Host: web\r\n"));
  EXPECT_THAT(rewritten, HasSubstr("X-Team: blue\r\n"));
  EXPECT_THAT(rewritten, Not(HasSubstr("canary")));
  EXPECT_THAT(rewritten, HasSubstr("Server: heddle\r\n"));
  EXPECT_THAT(rewritten, Not(HasSubstr("X-Secret")));
  EXPECT_THAT(get("/api/x"), HasSubstr("GET /api/x HTTP/1.1\r\n"));
  EXPECT_THAT(get("/api/x"), HasSubstr("X-Secret: 1\r\n"));

  EXPECT_THAT(get("/?fail=yes"), StartsWith("HTTP/1.1 502 "));
  EXPECT_THAT(get("/?fail=yes"), HasSubstr("fault_injected"));
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(get("/slow"), StartsWith("HTTP/1.1 200 "));
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(300));

  EXPECT_THAT(get("/limited"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(get("/limited"), StartsWith("HTTP/1.1 200 "));
  const std::string limited = get("/limited");
  EXPECT_THAT(limited, StartsWith("HTTP/1.1 429 "));
  EXPECT_THAT(limited, HasSubstr("rate_limited"));
  const auto at = limited.find("Retry-After: ");
  ASSERT_NE(at, std::string::npos) << limited;
  const int wait = std::atoi(limited.c_str() + at + 13);
  EXPECT_GT(wait, 1);
  EXPECT_LE(wait, 60);
}

// A value of a Set-Cookie of this name; "" without one.
std::string cookie_in(const std::string& answer, const std::string& name) {
  const auto at = answer.find("Set-Cookie: " + name + "=");
  if (at == std::string::npos) return "";
  const auto begin = at + 13 + name.size();
  return answer.substr(begin, answer.find(';', begin) - begin);
}

// Goal: clients come back to group and target, and each algorithm leads to targets of its group.
TEST_F(Edge, ClientsComeBackByCookiesAndKeys) {
  std::vector<std::unique_ptr<Backend>> backends;
  std::string targets;
  for (int i = 0; i < 4; ++i) {
    backends.push_back(std::make_unique<Backend>(answering("b" + std::to_string(i))));
    targets += (i ? ", " : "") + backends.back()->address().format();
  }
  std::string groups = "target-groups:\n  sticky: {sticky: {cookie: who, for: 1h}, targets: [" +
                       targets + "]}\n  one: {targets: [" + backends[0]->address().format() +
                       "]}\n  two: {targets: [" + backends[1]->address().format() + "]}\n";
  std::string rules =
      "      - {when: {path: /sticky}, forward: sticky}\n"
      "      - {when: {path: /split}, forward: {groups: {one: 1, two: 1}, sticky: "
      "{cookie: side}}}\n";
  const char* const kHashing[] = {"source-hash", "ring-hash", "maglev"};
  const char* const kOthers[] = {"round-robin", "random", "least-request", "peak-ewma"};
  for (const char* name : kHashing) {
    groups += std::string("  ") + name + ": {balance: " + name +
              ", hash-by: {header: X-User}, targets: [" + targets + "]}\n";
    rules += std::string("      - {when: {path: /") + name + "}, forward: " + name + "}\n";
  }
  for (const char* name : kOthers) {
    groups += std::string("  ") + name + ": {balance: " + name + ", targets: [" + targets + "]}\n";
    rules += std::string("      - {when: {path: /") + name + "}, forward: " + name + "}\n";
  }
  start(listener(rules, "{respond: {status: 404}}") + groups);
  const auto body = [](const std::string& answer) { return answer.substr(answer.size() - 2); };

  for (const std::string path : {"/sticky", "/split"}) {
    const std::string name = path == "/sticky" ? "who" : "side";
    const std::string first = get(path);
    const std::string value = cookie_in(first, name);
    ASSERT_FALSE(value.empty()) << first;
    for (int i = 0; i < 12; ++i) {
      const std::string again = get(path, "web", "Cookie: x=y; " + name + "=" + value + "\r\n");
      EXPECT_EQ(body(again), body(first));
      EXPECT_EQ(cookie_in(again, name), "") << "it has the cookie";
    }
    EXPECT_FALSE(cookie_in(get(path, "web", "Cookie: " + name + "=zz\r\n"), name).empty());
  }
  for (const char* name : kHashing) {
    std::set<std::string> seen;
    for (int user = 0; user < 24; ++user) {
      const std::string extra = "X-User: u" + std::to_string(user) + "\r\n";
      const std::string first = body(get(std::string("/") + name, "web", extra));
      EXPECT_EQ(body(get(std::string("/") + name, "web", extra)), first);
      seen.insert(first);
    }
    EXPECT_GT(seen.size(), 2U) << name;
  }
  for (const char* name : kOthers) {
    std::set<std::string> seen;
    for (int i = 0; i < 40; ++i) seen.insert(body(get(std::string("/") + name)));
    EXPECT_GT(seen.size(), 2U) << name;
  }
}

// Goal: nothing is lost while the configuration changes under load, by signal and by command.
TEST_F(Edge, ReloadsUnderLoadLoseNothing) {
  Backend first(answering("one"));
  Backend second(answering("two"));
  const auto config = [&](bool other) {
    std::string out = listener(other ? "      - {when: {path: /x}, respond: {status: 200}}\n" : "",
                               other ? "{forward: {groups: {b: 1}}}" : "{forward: a}");
    if (other) {
      out += "  more: {bind: \"127.0.0.1:" + std::to_string(extra_port_) +
             "\", default: {respond: {status: 200}}}\n";
    }
    return out + "target-groups:\n" +
           (other ? group("b", second.address()) : group("a", first.address()));
  };
  extra_port_ = free_port();
  start(config(false), {"--threads", "2"});
  Clients clients(port_);
  for (int i = 0; i < 2; ++i) {
    clients.add_fresh();
    clients.add_kept();
  }
  for (int i = 1; i <= 16; ++i) {
    ASSERT_TRUE(clients.wait_for(40));
    proxy_->write(config(i % 2));
    if (i % 4 < 2) {
      ::kill(proxy_->pid(), SIGHUP);
    } else {
      const auto said = proxy_->admin("reload");
      EXPECT_EQ(said.status, 0) << said.text;
    }
  }
  ASSERT_TRUE(clients.wait_for(40));
  clients.stop();
  EXPECT_EQ(clients.count.lost, 0);
  EXPECT_EQ(clients.count.refused, 0);
  EXPECT_GT(second.accepted(), 0U);
}

TEST_F(Edge, AFileThatIsWrongChangesNothing) {
  Backend backend(answering("one"));
  const std::string good =
      listener("", "{forward: app}") + "target-groups:\n" + group("app", backend.address());
  start(good);
  proxy_->write(listener("", "{forward: ap}") + "target-groups:\n" +
                group("app", backend.address()));
  const auto said = proxy_->admin("reload");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.text, HasSubstr("edge.yaml:4:24: listeners.web.default.forward: no target group "
                                   "is called \"ap\"; did you mean \"app\"?"));
  EXPECT_THAT(get("/"), EndsWith("one"));
  const auto checked = EdgeProcess::run("--config " + proxy_->file() + " --check");
  EXPECT_EQ(checked.status, 1);
  EXPECT_THAT(checked.text, HasSubstr("did you mean \"app\"?"));
  proxy_->write(good);
  EXPECT_EQ(proxy_->admin("reload").status, 0);
  EXPECT_EQ(EdgeProcess::run("--config " + proxy_->file() + " --check").status, 0);
  EXPECT_EQ(EdgeProcess::run("--check").status, 2);
}

TEST_F(Edge, ATakenAddressEndsTheStartWithItsName) {
  std::uint16_t taken = 0;
  const UniqueFd other = listen_on_loopback(&taken);
  port_ = taken;
  EdgeProcess proxy(directory_, listener("", "{respond: {status: 200}}"));
  EXPECT_EQ(ProxyProcess::wait(proxy.pid()), 1);
}

TEST_F(Edge, AnswersWhatItAcceptedBeforeItEnds) {
  Backend backend(answering("one"));
  start(listener("", "{forward: app}") + "target-groups:\n" + group("app", backend.address()));
  Clients clients(port_);
  clients.add_fresh();
  clients.add_kept();
  ASSERT_TRUE(clients.wait_for(50));
  EXPECT_EQ(proxy_->terminate(), 0);
  clients.stop();
  EXPECT_EQ(clients.count.lost, 0);
}

// Goal: the next program takes over while the last one ends, under load.
TEST_F(Edge, TheNextProgramTakesItsSocketsOver) {
  Backend backend(answering("one"));
  const UniqueFd socket = listen_on_loopback(&port_);
  const std::string config =
      listener("", "{forward: app}") + "target-groups:\n" + group("app", backend.address());
  const std::map<std::string, int> sockets = {{"127.0.0.1:" + std::to_string(port_), socket.get()}};
  const auto launch = [&] {
    return std::make_unique<EdgeProcess>(directory_, config, std::vector<std::string>(), sockets);
  };
  proxy_ = launch();
  ASSERT_TRUE(proxy_->wait_until_ready());
  Clients clients(port_);
  clients.add_fresh();
  clients.add_kept();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(clients.wait_for(40));
    auto next = launch();
    ASSERT_TRUE(next->wait_until_ready());
    EXPECT_EQ(proxy_->terminate(), 0);
    proxy_ = std::move(next);
  }
  ASSERT_TRUE(clients.wait_for(40));
  clients.stop();
  EXPECT_EQ(clients.count.lost, 0);
  EXPECT_EQ(clients.count.refused, 0);
}

TEST_F(Edge, RelaysTcp) {
  Backend backend([](int fd) { send_all(fd, "220 hello\r\n"); });
  start("listeners:\n  mail: {bind: \"127.0.0.1:" + std::to_string(port_) +
        "\", kind: tcp, default: {forward: mail}}\ntarget-groups:\n  mail: {protocol: tcp, "
        "targets: [" +
        backend.address().format() + "]}\n");
  EXPECT_EQ(exchange_with(""), "220 hello\r\n");
}

TEST_F(Edge, NamesAreResolved) {
  Backend backend(answering("one"));
  start(listener("", "{forward: app}") + "target-groups: {app: {targets: [localhost:" +
        std::to_string(backend.address().port) + "]}}\n");
  EXPECT_THAT(get("/"), EndsWith("one"));
}

TEST_F(Edge, TheAccessLogFollowsTheFile) {
  const auto config = [&](const std::string& format) {
    return listener("", "{respond: {status: 200}}") + "access-log: {to: " + directory_ +
           "/access.log, format: \"" + format + "\"}\n";
  };
  start(config("%{status} %{path} %{trace_id}"));
  (void)get("/one", "web",
            "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n");
  std::filesystem::rename(directory_ + "/access.log", directory_ + "/access.log.1");
  proxy_->write(config("%{method} %{path}"));
  ASSERT_EQ(proxy_->admin("reload").status, 0);
  (void)get("/two");
  EXPECT_EQ(proxy_->terminate(), 0);
  const auto content = [](const std::string& path) {
    std::ifstream in(path);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  EXPECT_EQ(content(directory_ + "/access.log.1"), "200 /one 4bf92f3577b34da6a3ce929d0e0e4736\n");
  EXPECT_EQ(content(directory_ + "/access.log"), "GET /two\n");
}

TEST_F(Edge, TheLogLevelChangesWhileItRuns) {
  start(listener("", "{respond: {status: 200}}"));
  EXPECT_EQ(proxy_->admin("log-level debug").status, 0);
  EXPECT_EQ(proxy_->admin("log-level loud").status, 1);
  EXPECT_THAT(proxy_->admin("config").text, HasSubstr("\"revision\":1"));
  EXPECT_THAT(proxy_->admin("metrics").text, HasSubstr("heddle_proxy_build_info"));
}

}  // namespace
}  // namespace heddle::testing
