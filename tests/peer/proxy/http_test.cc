#include <sys/socket.h>

#include "tests/peer/proxy/fixture.h"

namespace heddle::testing {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class ProxyHttp : public ProxyTest {};

// Answers every request head with `response`, and remembers the heads.
struct Scripted {
  explicit Scripted(std::string response_in)
      : response(std::move(response_in)), backend([this](int fd) {
          std::string rest;
          for (std::string head = read_head(fd, rest); !head.empty(); head = read_head(fd, rest)) {
            {
              const std::lock_guard lock(mutex);
              heads.push_back(head);
            }
            if (!send_all(fd, response)) return;
          }
        }) {}
  std::size_t requests() {
    const std::lock_guard lock(mutex);
    return heads.size();
  }
  std::string head(std::size_t i) {
    const std::lock_guard lock(mutex);
    return i < heads.size() ? heads[i] : "";
  }
  std::mutex mutex;
  std::vector<std::string> heads;
  std::string response;
  Backend backend;
};

TEST_F(ProxyHttp, SpreadsRequestsAndReusesConnections) {
  std::atomic<int> counts[3] = {};
  Backend a(answering("a", &counts[0]));
  Backend b(answering("b", &counts[1]));
  Backend c(answering("c", &counts[2]));
  start({a.address(), b.address(), c.address()});
  const UniqueFd client = connect_to(proxy_->port("web"));
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(send_all(client.get(), "GET / HTTP/1.1\r\nHost: web\r\n\r\n"));
    ASSERT_THAT(receive(client.get(), "\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
  }
  for (const auto& count : counts) EXPECT_EQ(count, 10);
  EXPECT_EQ(a.accepted() + b.accepted() + c.accepted(), 3u);
  EXPECT_EQ(proxy_->metric("heddle_proxy_requests_total{code=\"200\",listener=\"lb\""), 30);
}

TEST_F(ProxyHttp, PipelinedRequestsAreAnsweredInOrder) {
  Backend backend([](int fd) {
    std::string rest;
    for (std::string head = read_head(fd, rest); !head.empty(); head = read_head(fd, rest)) {
      const auto begin = head.find(' ') + 1;
      const std::string path = head.substr(begin, head.find(' ', begin) - begin);
      send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(path.size()) +
                       "\r\n\r\n" + path);
    }
  });
  start({backend.address()});
  const std::string out = exchange(
      proxy_->port("web"),
      "GET /one HTTP/1.1\r\nHost: a\r\n\r\nPOST /two HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n"
      "\r\nGET /three HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_LT(out.find("/one"), out.find("/two"));
  EXPECT_LT(out.find("/two"), out.find("/three"));
  EXPECT_THAT(out, EndsWith("/three"));
  EXPECT_EQ(backend.accepted(), 1u);
}

TEST_F(ProxyHttp, Http10ClientsGetWhatTheyUnderstand) {
  Scripted chunked("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  start({chunked.backend.address()});
  const std::string out = exchange(proxy_->port("web"), "GET / HTTP/1.0\r\n\r\n");
  EXPECT_THAT(out, Not(HasSubstr("chunked")));
  EXPECT_THAT(out, EndsWith("\r\n\r\nhello"));
  EXPECT_THAT(chunked.head(0), HasSubstr("Host: " + chunked.backend.address().format()));
}

TEST_F(ProxyHttp, ResponsesWithoutABodyKeepTheConnection) {
  Scripted head("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  start({head.backend.address()});
  const UniqueFd client = connect_to(proxy_->port("web"));
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(send_all(client.get(), "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"));
    ASSERT_THAT(receive(client.get(), "\r\n\r\n"), HasSubstr("Content-Length: 5"));
  }
  EXPECT_EQ(head.backend.accepted(), 1u);
  for (const std::string status : {"204 No Content", "304 Not Modified"}) {
    {
      const std::lock_guard lock(head.mutex);
      head.response = "HTTP/1.1 " + status + "\r\n\r\n";
    }
    ASSERT_TRUE(send_all(client.get(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    ASSERT_THAT(receive(client.get(), "\r\n\r\n"), StartsWith("HTTP/1.1 " + status));
  }
  EXPECT_EQ(head.backend.accepted(), 1u);
}

TEST_F(ProxyHttp, ABodyUntilCloseComesWhole) {
  Backend backend([](int fd) {
    std::string rest;
    read_head(fd, rest);
    send_all(fd, "HTTP/1.0 200 OK\r\n\r\n" + std::string(100000, 'x'));
  });
  start({backend.address()});
  const std::string out = get("/");
  EXPECT_THAT(out, HasSubstr("Transfer-Encoding: chunked"));
  EXPECT_EQ(std::count(out.begin(), out.end(), 'x'), 100000);
  EXPECT_THAT(out, EndsWith("0\r\n\r\n"));
}

TEST_F(ProxyHttp, LargeBodiesPassBothWays) {
  // Echoes a body of known length.
  Backend backend([](int fd) {
    std::string rest;
    const std::string head = read_head(fd, rest);
    const auto at = head.find("Content-Length: ");
    const std::size_t size = std::strtoull(head.c_str() + at + 16, nullptr, 10);
    while (rest.size() < size) {
      char bytes[65536];
      const ssize_t n = ::recv(fd, bytes, sizeof bytes, 0);
      if (n <= 0) return;
      rest.append(bytes, static_cast<std::size_t>(n));
    }
    send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" + rest);
  });
  start({backend.address()});
  std::string body;
  for (int i = 0; body.size() < (4u << 20); ++i) body += std::to_string(i);
  const std::string out = exchange(proxy_->port("web"),
                                   "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                                   "Content-Length: " +
                                       std::to_string(body.size()) + "\r\n\r\n" + body);
  EXPECT_TRUE(out.ends_with(body));
}

TEST_F(ProxyHttp, ChunkedRequestsAreFramedAnewWithTrailers) {
  std::string seen;
  Backend backend([&](int fd) {
    std::string rest;
    seen = read_head(fd, rest);
    while (rest.find("\r\nX-Sum: 1\r\n\r\n") == std::string::npos) {
      char bytes[4096];
      const ssize_t n = ::recv(fd, bytes, sizeof bytes, 0);
      if (n <= 0) return;
      rest.append(bytes, static_cast<std::size_t>(n));
    }
    seen += rest;
    send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  });
  start({backend.address()});
  const std::string out =
      exchange(proxy_->port("web"),
               "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
               "\r\n5;x=y\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n");
  EXPECT_THAT(out, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(seen, HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(seen, EndsWith("5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"));
}

TEST_F(ProxyHttp, ExpectContinueIsAnsweredByTheTarget) {
  Backend backend([](int fd) {
    std::string rest;
    const std::string head = read_head(fd, rest);
    if (head.find("Expect: 100-continue") == std::string::npos) return;
    send_all(fd, "HTTP/1.1 100 Continue\r\n\r\n");
    while (rest.size() < 5) {
      char bytes[64];
      const ssize_t n = ::recv(fd, bytes, sizeof bytes, 0);
      if (n <= 0) return;
      rest.append(bytes, static_cast<std::size_t>(n));
    }
    send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + rest);
  });
  start({backend.address()});
  const UniqueFd client = connect_to(proxy_->port("web"));
  send_all(client.get(),
           "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n"
           "Expect: 100-continue\r\n\r\n");
  ASSERT_THAT(receive(client.get(), "\r\n\r\n"), StartsWith("HTTP/1.1 100 Continue"));
  send_all(client.get(), "hello");
  EXPECT_THAT(receive(client.get()), EndsWith("hello"));
}

TEST_F(ProxyHttp, AnEarlyResponseEndsBothConnections) {
  Scripted refuses("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
  start({refuses.backend.address()});
  const UniqueFd client = connect_to(proxy_->port("web"));
  send_all(client.get(), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nstart");
  const std::string out = receive(client.get());
  EXPECT_THAT(out, StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(out, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(out, EndsWith("no"));
  EXPECT_THAT(get("/"), StartsWith("HTTP/1.1 413 "));
  EXPECT_EQ(refuses.backend.accepted(), 2u) << "the connection with half a body is not used again";
}

TEST_F(ProxyHttp, BytesAfterAResponseEndTheTargetsConnection) {
  Scripted chatty("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n");
  start({chatty.backend.address()});
  EXPECT_THAT(get("/"), EndsWith("\r\n\r\nok"));
  EXPECT_THAT(get("/"), EndsWith("\r\n\r\nok"));
  EXPECT_EQ(chatty.backend.accepted(), 2u);
}

TEST_F(ProxyHttp, InterimResponsesPassAndAreBounded) {
  Scripted hints(
      "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  start({hints.backend.address()});
  const std::string out = get("/");
  EXPECT_THAT(out, StartsWith("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK"));
  std::string flood;
  for (int i = 0; i < 50; ++i) flood += "HTTP/1.1 103 Early Hints\r\n\r\n";
  {
    const std::lock_guard lock(hints.mutex);
    hints.response = flood;
  }
  EXPECT_THAT(get("/"), HasSubstr("bad_response"));
}

TEST_F(ProxyHttp, WebSocketBecomesATunnelAndH2cNever) {
  std::vector<std::string> heads;
  std::mutex mutex;
  Backend backend([&](int fd) {
    std::string rest;
    const std::string head = read_head(fd, rest);
    {
      const std::lock_guard lock(mutex);
      heads.push_back(head);
    }
    if (head.find("Upgrade: websocket") == std::string::npos) {
      send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain");
      return;
    }
    send_all(fd,
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
             "Connection: Upgrade\r\n\r\nhi!");
    char bytes[64];
    const ssize_t n = ::recv(fd, bytes, sizeof bytes, 0);
    if (n > 0) send_all(fd, {bytes, static_cast<std::size_t>(n)});
  });
  start({backend.address()});
  const UniqueFd client = connect_to(proxy_->port("web"));
  send_all(client.get(),
           "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
           "\r\n");
  const std::string head = receive(client.get(), "hi!");
  EXPECT_THAT(head, StartsWith("HTTP/1.1 101 "));
  send_all(client.get(), "echo");
  EXPECT_EQ(receive(client.get()), "echo");
  EXPECT_THAT(get("/",
                  "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                  "HTTP2-Settings: AAMAAABk\r\n"),
              EndsWith("plain"));
  const std::lock_guard lock(mutex);
  EXPECT_THAT(heads.at(1), Not(HasSubstr("pgrade")));
  EXPECT_THAT(heads.at(1), Not(HasSubstr("HTTP2")));
}

TEST_F(ProxyHttp, A101ThatNobodyAskedForIs502) {
  Scripted rogue("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n");
  start({rogue.backend.address()});
  EXPECT_THAT(get("/"), StartsWith("HTTP/1.1 502 "));
}

TEST_F(ProxyHttp, LoadBalancersTellTargetsAboutTheClient) {
  Scripted backend("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  start({backend.backend.address()});
  (void)get("/", "X-Forwarded-Proto: https\r\n");
  EXPECT_THAT(backend.head(0), HasSubstr("X-Forwarded-For: 127.0.0.1\r\n"));
  EXPECT_THAT(backend.head(0), HasSubstr("X-Forwarded-Proto: http\r\n"));
  EXPECT_THAT(backend.head(0), HasSubstr("X-Forwarded-Host: web\r\n"));
  EXPECT_THAT(backend.head(0), HasSubstr("X-Request-Id: "));
  EXPECT_THAT(backend.head(0), Not(HasSubstr("https")));
}

TEST_F(ProxyHttp, FixedResponsesRedirectsAndNoRule) {
  pb::Listener& listener = *snapshot_.add_listeners();
  listener.set_name("lb");
  listener.set_kind(pb::LISTENER_HTTP);
  listener.set_socket("web");
  pb::Rule& fixed = *listener.add_rules();
  fixed.set_priority(1);
  fixed.add_conditions()->mutable_path()->set_exact("/fixed");
  fixed.mutable_action()->mutable_fixed_response()->set_status(418);
  fixed.mutable_action()->mutable_fixed_response()->set_body("tea");
  pb::Rule& redirect = *listener.add_rules();
  redirect.set_priority(2);
  redirect.add_conditions()->mutable_path()->set_prefix("/old");
  redirect.mutable_action()->mutable_redirect()->set_status(308);
  redirect.mutable_action()->mutable_redirect()->set_location("/new");
  snapshot_.set_revision(1);
  start_with_snapshot({"web"});
  EXPECT_THAT(get("/fixed"), EndsWith("\r\n\r\ntea"));
  EXPECT_THAT(get("/old/x"), HasSubstr("Location: /new\r\n"));
  const std::string none = get("/");
  EXPECT_THAT(none, StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(none, HasSubstr("{\"error\":\"no_rule\""));
}

TEST_F(ProxyHttp, ANewSnapshotHoldsForTheNextRequestOfAnOpenConnection) {
  Backend a(answering("a"));
  Backend b(answering("b"));
  start({a.address()});
  const UniqueFd client = connect_to(proxy_->port("web"));
  send_all(client.get(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(receive(client.get(), "\r\n\r\na"), EndsWith("a"));
  snapshot_.set_revision(2);
  *snapshot_.mutable_target_groups(0) = group_of("web", pb::PROTOCOL_HTTP1, {b.address()});
  control_->set_snapshot(snapshot_);
  ASSERT_TRUE(control_->wait_for_ack(2, std::chrono::seconds(5)));
  ASSERT_TRUE(proxy_->wait_for_metric("heddle_proxy_config_revision", 2));
  send_all(client.get(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(receive(client.get(), "\r\n\r\nb"), EndsWith("b"));
}

}  // namespace
}  // namespace heddle::testing
