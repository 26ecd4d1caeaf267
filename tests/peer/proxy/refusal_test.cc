#include <sys/socket.h>

#include <thread>

#include "tests/peer/proxy/fixture.h"

namespace heddle::testing {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ProxyRefusal : public ProxyTest {};

struct Case {
  std::string_view what;
  std::string_view bytes;
  int status;
};

constexpr std::string_view kHost = "Host: a\r\n";

// Goal: a refused request gets its status, the connection closes, and nothing of it reaches a
// target. Method: each class of the table on its own connection, followed by a request that must
// not be taken for a second one.
TEST_F(ProxyRefusal, EachClassGetsItsStatusAndTheConnectionCloses) {
  std::atomic<int> requests = 0;
  Backend backend(answering("served", &requests));
  start({backend.address()});
  const Case cases[] = {
      {"CL and TE",
       "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: "
       "chunked\r\n\r\n0\r\n\r\n",
       400},
      {"two CL", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
       400},
      {"CL list", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc", 400},
      {"signed CL", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc", 400},
      {"TE twice",
       "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
       "chunked\r\n\r\n0\r\n\r\n",
       400},
      {"chunked not last", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
       400},
      {"TE on 1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       400},
      {"unknown coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", 501},
      {"obs-fold", "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400},
      {"space before colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
      {"no colon", "GET / HTTP/1.1\r\nHost: a\r\nbad\r\n\r\n", 400},
      {"CTL in value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\x01z\r\n\r\n", 400},
      {"bare LF", "GET / HTTP/1.1\nHost: a\n\n", 400},
      {"bare CR", "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400},
      {"missing Host", "GET / HTTP/1.1\r\n\r\n", 400},
      {"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"Host differs", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"method", "G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"fragment", "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"star", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"bad CONNECT", "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 501},
      {"version syntax", "GET / HTTP/1.x\r\nHost: a\r\n\r\n", 400},
      {"HTTP/2 preface, nearly", "PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n", 505},
      {"HTTP/0.9", "GET /\r\n\r\n", 400},
      {"unknown Expect", "GET / HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n\r\n", 417},
  };
  const std::string next = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
  for (const Case& c : cases) {
    const std::string out = exchange(proxy_->port("web"), std::string(c.bytes) + next);
    EXPECT_THAT(out, StartsWith("HTTP/1.1 " + std::to_string(c.status) + " ")) << c.what;
    EXPECT_THAT(out, HasSubstr("Connection: close\r\n")) << c.what;
    EXPECT_EQ(out.find("\nHTTP/1.1 "), std::string::npos) << c.what << ": a second response";
  }
  EXPECT_EQ(requests, 0);
  EXPECT_EQ(backend.accepted(), 0u);
  EXPECT_GE(proxy_->metric("heddle_proxy_refused_requests_total{class=\"length_and_encoding\"}"),
            1);
}

TEST_F(ProxyRefusal, LimitsHaveTheirOwnStatus) {
  Backend backend(answering("served"));
  start({backend.address()});
  const std::string begin = "GET / HTTP/1.1\r\n" + std::string(kHost);
  EXPECT_THAT(exchange(proxy_->port("web"),
                       "GET /" + std::string(10000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n"),
              StartsWith("HTTP/1.1 414 "));
  EXPECT_THAT(exchange(proxy_->port("web"), begin + "X: " + std::string(70000, 'a') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431 "));
  std::string many = begin;
  for (int i = 0; i < 120; ++i) many += "X: y\r\n";
  EXPECT_THAT(exchange(proxy_->port("web"), many + "\r\n"), StartsWith("HTTP/1.1 431 "));
}

// A chunked body that breaks after the head was forwarded.
TEST_F(ProxyRefusal, MalformedChunksAre400AndTheTargetsConnectionIsGone) {
  std::atomic<int> whole = 0;
  Backend backend([&](int fd) {
    std::string rest;
    while (!read_head(fd, rest).empty()) {
      while (rest.find("0\r\n\r\n") == std::string::npos) {
        char bytes[4096];
        const ssize_t n = ::recv(fd, bytes, sizeof bytes, 0);
        if (n <= 0) return;
        rest.append(bytes, static_cast<std::size_t>(n));
      }
      rest.clear();
      ++whole;
      send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
  });
  start({backend.address()});
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string_view body :
       {"x\r\n", "0x5\r\nhello\r\n", "5 \r\nhello\r\n", "5\nhello\r\n", "5\r\nhelloXX",
        "ffffffffffffffffff\r\n", "5;\x01\r\nhello\r\n", "0\r\nHost: b\r\n\r\n",
        "0\r\nContent-Length: 1\r\n\r\n"}) {
    const std::string out = exchange(proxy_->port("web"), head + std::string(body));
    EXPECT_THAT(out, StartsWith("HTTP/1.1 400 ")) << body;
    EXPECT_THAT(out, HasSubstr("body_malformed")) << body;
  }
  EXPECT_EQ(whole, 0);
  // The backend may learn of its connections after the clients have their answers.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (backend.accepted() < 9 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(backend.accepted(), 9u) << "none was used twice";
}

TEST_F(ProxyRefusal, MalformedResponsesAre502AndDiscarded) {
  std::string response;
  Backend backend([&](int fd) {
    std::string rest;
    while (!read_head(fd, rest).empty()) {
      if (!send_all(fd, response)) return;
    }
  });
  start({backend.address()});
  std::size_t connections = 0;
  for (const std::string_view bad :
       {"nonsense\r\n\r\n", "HTTP/1.1 200 OK\nX: y\n\n", "HTTP/1.1 999 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    response = bad;
    const std::string out = get("/");
    EXPECT_THAT(out, StartsWith("HTTP/1.1 502 ")) << bad;
    EXPECT_THAT(out, HasSubstr("bad_response")) << bad;
    EXPECT_EQ(backend.accepted(), ++connections) << bad;
  }
}

TEST_F(ProxyRefusal, AResponseThatEndsEarlyIsNotPassedForWhole) {
  Backend backend([](int fd) {
    std::string rest;
    const std::string head = read_head(fd, rest);
    send_all(fd, head.find("/chunked") != std::string::npos
                     ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"
                     : "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhel");
  });
  start({backend.address()});
  const std::string length = get("/");
  EXPECT_THAT(length, HasSubstr("Content-Length: 100"));
  EXPECT_THAT(length, EndsWith("hel"));
  const std::string chunked = get("/chunked");
  EXPECT_EQ(chunked.find("0\r\n\r\n"), std::string::npos);
}

TEST_F(ProxyRefusal, SlowHeadsAre408) {
  Backend backend(answering("served"));
  snapshot_.set_revision(1);
  *snapshot_.add_listeners() = http_listener("lb", "web", "web");
  snapshot_.mutable_listeners(0)->set_header_timeout_ms(150);
  snapshot_.mutable_listeners(0)->set_idle_timeout_ms(300);
  *snapshot_.add_target_groups() = group_of("web", pb::PROTOCOL_HTTP1, {backend.address()});
  start_with_snapshot({"web"});
  EXPECT_THAT(exchange(proxy_->port("web"), "GET / HTTP/1.1\r\nHo"), StartsWith("HTTP/1.1 408 "));
  EXPECT_EQ(exchange(proxy_->port("web"), ""), "") << "an idle connection closes without a word";
}

TEST_F(ProxyRefusal, SlowBodiesAre408) {
  Backend backend([](int fd) {
    std::string rest;
    read_head(fd, rest);
    char bytes[64];
    while (::recv(fd, bytes, sizeof bytes, 0) > 0) {
    }
  });
  snapshot_.set_revision(1);
  *snapshot_.add_listeners() = http_listener("lb", "web", "web");
  snapshot_.mutable_listeners(0)->set_idle_timeout_ms(200);
  *snapshot_.add_target_groups() = group_of("web", pb::PROTOCOL_HTTP1, {backend.address()});
  start_with_snapshot({"web"});
  const std::string out = exchange(proxy_->port("web"),
                                   "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf");
  EXPECT_THAT(out, StartsWith("HTTP/1.1 408 "));
  EXPECT_THAT(out, HasSubstr("body_timeout"));
}

}  // namespace
}  // namespace heddle::testing
