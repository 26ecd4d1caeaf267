#include <sys/socket.h>

#include <algorithm>
#include <condition_variable>
#include <future>
#include <mutex>

#include "tests/peer/proxy/fixture.h"
#include "tests/support/proxy/clients.h"
#include "tests/support/proxy/http2_peer.h"

namespace heddle::testing {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::uint8_t kWhole = h2::kEndHeaders | h2::kEndStream;

using h2::answering_http2;
using h2::next_request;
using h2::speaking_http2;
using h2::status_block;

class ProxyHttp2 : public ProxyTest {
 protected:
  void start_http2(const std::vector<SocketAddr>& targets) {
    start(group_of("web", pb::PROTOCOL_HTTP2, targets));
  }
  h2::Peer connect() {
    h2::Peer client(proxy_->port("web"));
    client.send(h2::preface());
    return client;
  }
};

TEST_F(ProxyHttp2, PriorKnowledgeToAnHttp1Target) {
  Backend backend(answering("hello"));
  start({backend.address()});
  h2::Peer client = connect();
  client.send(h2::headers(1, h2::get()) +
              h2::headers(3, h2::with(h2::get("/b"), "te", "trailers")));
  ASSERT_TRUE(client.read_end(1));
  ASSERT_TRUE(client.read_end(3));
  EXPECT_EQ(client.status(1), 200);
  EXPECT_EQ(h2::data(client.frames(), 1), "hello");
  EXPECT_EQ(h2::data(client.frames(), 3), "hello");
  EXPECT_EQ(proxy_->metric("heddle_proxy_requests_total{code=\"200\",listener=\"lb\""), 2);
}

TEST_F(ProxyHttp2, RequestsShareOneConnectionToAnHttp2Target) {
  std::atomic<int> requests = 0;
  Backend backend(answering_http2("hello", &requests));
  start_http2({backend.address()});
  EXPECT_THAT(get("/"), HasSubstr("hello"));
  h2::Peer client = connect();
  for (std::uint32_t id = 1; id < 40; id += 2) client.send(h2::headers(id, h2::get()));
  for (std::uint32_t id = 1; id < 40; id += 2) ASSERT_TRUE(client.read_end(id));
  EXPECT_EQ(requests, 21);
  EXPECT_EQ(backend.accepted(), 1u);
}

TEST_F(ProxyHttp2, BodiesAndTrailersBothWays) {
  Backend backend(speaking_http2([](h2::Peer& peer) {
    std::size_t seen = 0;
    while (const std::uint32_t stream = next_request(peer, seen)) {
      const bool trailers = peer.frames().back().type == h2::kHeaders;
      peer.send(h2::frame(h2::kHeaders, h2::kEndHeaders, stream, status_block("200")) +
                h2::frame(h2::kData, 0, stream,
                          h2::data(peer.frames(), stream) + (trailers ? "+trailers" : "")) +
                h2::headers(stream, {{"grpc-status", "0"}}));
    }
  }));
  start_http2({backend.address()});
  h2::Peer client = connect();
  client.send(h2::headers(1, h2::post(), h2::kEndHeaders) + h2::frame(h2::kData, 0, 1, "abc"));
  client.send(h2::frame(h2::kData, 0, 1, "def") + h2::headers(1, {{"x-sum", "6"}}));
  ASSERT_TRUE(client.read_end(1));
  EXPECT_EQ(h2::data(client.frames(), 1), "abcdef+trailers");
  EXPECT_EQ(client.frames().back().type, h2::kHeaders);  // the trailers
  // HTTP/1 has them as well, in chunks.
  const std::string answer = exchange(
      proxy_->port("web"),
      "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n0\r\nX-Sum: 3\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("abc+trailers\r\n0\r\ngrpc-status: 0\r\n\r\n"));
}

TEST_F(ProxyHttp2, InterimAnswersPassAndAHeadIsNotFollowedByABody) {
  Backend backend([](int fd) {
    std::string rest;
    for (std::string head = read_head(fd, rest); !head.empty(); head = read_head(fd, rest)) {
      send_all(fd, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
      send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
      if (!head.starts_with("HEAD")) send_all(fd, "hello");
    }
  });
  start({backend.address()});
  h2::Peer client = connect();
  h2::Fields head = h2::get();
  head[0].second = "HEAD";
  client.send(h2::headers(1, head));
  ASSERT_TRUE(client.read_end(1));
  client.send(h2::headers(3, h2::get()));
  ASSERT_TRUE(client.read_end(3));
  EXPECT_EQ(client.status(1, 0), 103);
  EXPECT_EQ(client.status(1, 1), 200);
  EXPECT_EQ(h2::data(client.frames(), 1), "");
  EXPECT_EQ(h2::data(client.frames(), 3), "hello");
}

TEST_F(ProxyHttp2, WhatHttp1WouldRefuseIsRefused) {
  std::atomic<int> requests = 0;
  Backend backend(answering("hello", &requests));
  start({backend.address()});
  h2::Peer client = connect();
  h2::Fields no_authority = h2::get();
  no_authority.pop_back();
  h2::Fields connect_fields = {{":method", "CONNECT"}, {":authority", "web:80"}};
  client.send(h2::headers(1, h2::with(h2::get(), "host", "other")));
  client.send(h2::headers(3, no_authority));
  client.send(h2::headers(5, h2::with(h2::post(), "expect", "tea")));
  client.send(h2::headers(7, h2::get("/" + std::string(9000, 'a'))));
  client.send(h2::headers(9, connect_fields));
  for (const std::uint32_t id : {1, 5, 7, 9}) ASSERT_TRUE(client.read_end(id)) << id;
  EXPECT_EQ(client.status(1), 400);
  EXPECT_EQ(h2::reset(client.frames(), 3), 1u);
  EXPECT_EQ(client.status(5), 417);
  EXPECT_EQ(client.status(7), 414);
  EXPECT_EQ(client.status(9), 501);
  EXPECT_EQ(requests, 0);
  EXPECT_EQ(proxy_->metric("heddle_proxy_refused_requests_total{class=\"host_mismatch\""), -1);
  EXPECT_EQ(proxy_->metric("heddle_proxy_refused_requests_total{class=\"duplicate_host\""), 1);
}

TEST_F(ProxyHttp2, AResetReachesTheTarget) {
  std::mutex mutex;
  std::condition_variable changed;
  bool asked = false;
  bool gone = false;
  Backend backend([&](int fd) {
    std::string rest;
    read_head(fd, rest);
    std::unique_lock lock(mutex);
    asked = true;
    changed.notify_all();
    lock.unlock();
    char byte;
    if (::recv(fd, &byte, 1, 0) > 0) return;
    lock.lock();
    gone = true;
    changed.notify_all();
  });
  start({backend.address()});
  h2::Peer client = connect();
  client.send(h2::headers(1, h2::get()));
  std::unique_lock lock(mutex);
  ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds(10), [&] { return asked; }));
  client.send(h2::frame(h2::kRstStream, 0, 1, h2::number(8)));
  EXPECT_TRUE(changed.wait_for(lock, std::chrono::seconds(10), [&] { return gone; }));
}

TEST_F(ProxyHttp2, AResetReachesAnHttp2TargetAndLeavesItsConnection) {
  std::atomic<std::uint32_t> code = 99;
  Backend backend(speaking_http2([&](h2::Peer& peer) {
    std::size_t seen = 0;
    const std::uint32_t first = next_request(peer, seen);
    peer.send(h2::frame(h2::kHeaders, h2::kEndHeaders, first, status_block("200")));
    peer.read_until([&](const auto& all) { return h2::reset(all, first).has_value(); });
    code = h2::reset(peer.frames(), first).value_or(98);
    while (const std::uint32_t stream = next_request(peer, seen)) {
      peer.send(h2::frame(h2::kHeaders, kWhole, stream, status_block("204")));
    }
  }));
  start_http2({backend.address()});
  h2::Peer client = connect();
  client.send(h2::headers(1, h2::get()));
  ASSERT_TRUE(client.read_until([&](const auto&) { return client.status(1) == 200; }));
  client.send(h2::frame(h2::kRstStream, 0, 1, h2::number(8)));
  client.send(h2::headers(3, h2::get()));
  ASSERT_TRUE(client.read_end(3));
  EXPECT_EQ(client.status(3), 204);
  EXPECT_EQ(code, 8u);
  EXPECT_EQ(backend.accepted(), 1u);
}

TEST_F(ProxyHttp2, ATargetsResetReachesTheClient) {
  Backend backend(speaking_http2([](h2::Peer& peer) {
    std::size_t seen = 0;
    while (const std::uint32_t stream = next_request(peer, seen)) {
      peer.send(h2::frame(h2::kHeaders, h2::kEndHeaders, stream, status_block("200")) +
                h2::frame(h2::kData, 0, stream, "half") +
                h2::frame(h2::kRstStream, 0, stream, h2::number(2)));
    }
  }));
  start_http2({backend.address()});
  h2::Peer client = connect();
  client.send(h2::headers(1, h2::get()));
  ASSERT_TRUE(client.read_until([](const auto& all) { return h2::reset(all, 1).has_value(); }));
  EXPECT_EQ(h2::reset(client.frames(), 1), 2u);
  EXPECT_FALSE(h2::ended(client.frames(), 1));
  // Nor does an HTTP/1 client take a part for the whole.
  EXPECT_THAT(get("/"), Not(HasSubstr("0\r\n\r\n")));
}

TEST_F(ProxyHttp2, RefusedStreamsGoElsewhereWhateverTheirMethod) {
  Backend refusing(speaking_http2([](h2::Peer& peer) {
    std::size_t seen = 0;
    while (const std::uint32_t stream = next_request(peer, seen)) {
      peer.send(h2::frame(h2::kRstStream, 0, stream, h2::number(7)));
    }
  }));
  Backend serving(answering_http2("served"));
  start_http2({refusing.address(), serving.address()});
  for (int i = 0; i < 10; ++i) {
    h2::Peer client = connect();
    client.send(h2::headers(1, h2::with(h2::post(), "content-length", "2"), h2::kEndHeaders) +
                h2::frame(h2::kData, h2::kEndStream, 1, "ab"));
    ASSERT_TRUE(client.read_end(1));
    EXPECT_EQ(client.status(1), 200);
  }
}

TEST_F(ProxyHttp2, ATargetThatSaysGoawayLosesNoRequest) {
  Backend backend(speaking_http2([](h2::Peer& peer) {
    std::size_t seen = 0;
    const std::uint32_t stream = next_request(peer, seen);
    if (!stream) return;
    peer.send(h2::frame(h2::kGoaway, 0, 0, h2::number(stream) + h2::number(0)));
    peer.send(h2::frame(h2::kHeaders, h2::kEndHeaders, stream, status_block("200")) +
              h2::frame(h2::kData, h2::kEndStream, stream, "once"));
    peer.read_until([](const auto&) { return false; });
  }));
  start_http2({backend.address()});
  h2::Peer client = connect();
  for (std::uint32_t id = 1; id < 20; id += 2) {
    client.send(h2::headers(id, h2::post()));
    ASSERT_TRUE(client.read_end(id));
    EXPECT_EQ(client.status(id), 200);
  }
  EXPECT_EQ(backend.accepted(), 10u);
}

TEST_F(ProxyHttp2, ATargetsStreamLimitIsKept) {
  Backend backend([&](int fd) {
    h2::Peer peer(fd);
    peer.send(h2::frame(h2::kSettings, 0, 0, h2::number(3, 2) + h2::number(2)));
    std::size_t seen = 0;
    while (const std::uint32_t stream = next_request(peer, seen)) {
      ::usleep(20'000);
      peer.send(h2::frame(h2::kHeaders, kWhole, stream, status_block("204")));
    }
  });
  start_http2({backend.address()});
  h2::Peer client = connect();
  client.send(h2::headers(1, h2::get()));
  ASSERT_TRUE(client.read_end(1));  // the limit is known from here on
  for (std::uint32_t id = 3; id < 23; id += 2) client.send(h2::headers(id, h2::get()));
  for (std::uint32_t id = 3; id < 23; id += 2) {
    ASSERT_TRUE(client.read_end(id));
    EXPECT_EQ(client.status(id), 204);
  }
  EXPECT_GE(backend.accepted(), 2u);
}

TEST_F(ProxyHttp2, ASlowClientStopsItsTargetAndNobodyElse) {
  std::atomic<std::size_t> sent = 0;
  Backend backend([&](int fd) {
    std::string rest;
    for (std::string head = read_head(fd, rest); !head.empty(); head = read_head(fd, rest)) {
      if (!head.starts_with("GET /large")) {
        send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        continue;
      }
      send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
      const std::string piece(100'000, 'x');
      for (int i = 0; i < 1000 && send_all(fd, piece); ++i) sent += piece.size();
      return;
    }
  });
  start({backend.address()});
  h2::Peer client = connect();
  client.send(h2::headers(1, h2::get("/large")));  // its window of 64 KiB is never opened again
  ASSERT_TRUE(client.read_until([](const auto& all) { return h2::data(all, 1).size() == 65535; }));
  h2::Peer other = connect();
  other.send(h2::headers(1, h2::get("/")));
  ASSERT_TRUE(other.read_end(1));
  std::size_t before = 0;
  for (int i = 0; i < 50 && sent != before; ++i) {
    before = sent;
    ::usleep(200'000);
  }
  EXPECT_EQ(sent, before) << "the target is still being read from";
  EXPECT_LT(sent, 20u << 20);
}

TEST_F(ProxyHttp2, ADrainLosesNoStream) {
  Backend backend(answering("hello"));
  start({backend.address()});
  h2::Peer client = connect();
  client.send(h2::headers(1, h2::get()));
  ASSERT_TRUE(client.read_end(1));
  auto ended = std::async(std::launch::async, [&] { return proxy_->terminate(); });
  ASSERT_TRUE(client.read_goaway());
  EXPECT_EQ(h2::goaway(client.frames()), 0u);
  client.send(h2::headers(3, h2::get()));  // it may have been under way
  ASSERT_TRUE(client.read_end(3));
  EXPECT_EQ(client.status(3), 200);
  for (const h2::Frame& one : client.frames()) {
    if (one.type == h2::kPing) client.send(h2::frame(h2::kPing, h2::kAck, 0, one.payload));
  }
  client.read_until([](const auto&) { return false; });
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(h2::code_at(client.frames().back().payload, 0), 3u);  // the last stream served
  EXPECT_EQ(ended.get(), 0);
}

TEST_F(ProxyHttp2, FloodsEndTheirConnectionWhileOthersAreServed) {
  Backend backend(answering("hello"));
  start({backend.address()});
  Clients others(proxy_->port("web"));
  others.add_kept();
  const auto repeated = [](const std::string& frame) {
    std::string out;
    for (int i = 0; i < 3000; ++i) out += frame;
    return out;
  };
  std::string resets;
  for (std::uint32_t id = 1; id < 6000; id += 2) {
    resets += h2::headers(id, h2::get()) + h2::frame(h2::kRstStream, 0, id, h2::number(8));
  }
  std::string made_resets;
  for (std::uint32_t id = 1; id < 6000; id += 2) {
    made_resets +=
        h2::headers(id, h2::get()) + h2::frame(h2::kWindowUpdate, 0, id, h2::number(0x7fffffff));
  }
  const std::pair<std::string, std::string> floods[] = {
      {"http2_reset_flood", resets},
      {"http2_reset_flood", made_resets},
      {"http2_ping_flood", repeated(h2::frame(h2::kPing, 0, 0, "12345678"))},
      {"http2_settings_flood", repeated(h2::frame(h2::kSettings, 0, 0, ""))},
      {"http2_priority_flood", repeated(h2::frame(h2::kPriority, 0, 1, h2::number(0) + "x"))},
      {"http2_window_update_flood", repeated(h2::frame(h2::kWindowUpdate, 0, 0, h2::number(1)))},
      {"http2_empty_data_flood",
       h2::headers(1, h2::post(), h2::kEndHeaders) + repeated(h2::frame(h2::kData, 0, 1, ""))},
      {"http2_unknown_frame_flood", repeated(h2::frame(0x99, 0, 0, "x"))},
      {"http2_continuation_flood", h2::headers(1, h2::get(), h2::kEndStream) +
                                       repeated(h2::frame(h2::kContinuation, 0, 1, ""))},
  };
  for (const auto& [name, bytes] : floods) {
    const std::string metric = "heddle_proxy_refused_requests_total{class=\"" + name + "\"";
    const double before = std::max(0.0, proxy_->metric(metric));
    h2::Peer client = connect();
    client.acknowledges = false;
    client.send(bytes);  // may fail in the middle: then it is over already
    client.read_goaway();
    EXPECT_EQ(h2::goaway(client.frames()).value_or(11), 11u) << name;
    EXPECT_TRUE(proxy_->wait_for_metric(metric, before + 1)) << name;
  }
  EXPECT_TRUE(others.wait_for(20));
  others.stop();
  EXPECT_EQ(others.count.lost, 0);
}

TEST_F(ProxyHttp2, ASlowHeadEndsTheConnection) {
  Backend backend(answering("hello"));
  snapshot_.set_revision(1);
  auto* listener = snapshot_.add_listeners();
  *listener = http_listener("lb", "web", "web");
  listener->set_header_timeout_ms(300);
  *snapshot_.add_target_groups() = group_of("web", pb::PROTOCOL_HTTP1, {backend.address()});
  start_with_snapshot({"web"});
  h2::Peer client = connect();
  client.acknowledges = false;
  client.send(h2::headers(1, h2::get(), 0));  // and no CONTINUATION
  ASSERT_TRUE(client.read_goaway());
  EXPECT_EQ(h2::goaway(client.frames()), 11u);
  h2::Peer silent(proxy_->port("web"));
  silent.acknowledges = false;
  silent.send(h2::preface().substr(0, 24));  // and no SETTINGS
  ASSERT_TRUE(silent.read_goaway());
}

TEST_F(ProxyHttp2, AnEarlyAnswerEndsTheRequestWithoutHarm) {
  Backend backend([](int fd) {
    std::string rest;
    read_head(fd, rest);
    send_all(fd, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    ::usleep(200'000);
  });
  start({backend.address()});
  h2::Peer client = connect();
  client.send(h2::headers(1, h2::post(), h2::kEndHeaders) + h2::frame(h2::kData, 0, 1, "some"));
  ASSERT_TRUE(client.read_end(1));
  EXPECT_EQ(client.status(1), 403);
  ASSERT_TRUE(client.read_until([](const auto& all) { return h2::reset(all, 1).has_value(); }));
  EXPECT_EQ(h2::reset(client.frames(), 1), 0u);  // RFC 9113, section 8.1
}

}  // namespace
}  // namespace heddle::testing
