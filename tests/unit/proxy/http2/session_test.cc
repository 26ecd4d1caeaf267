#include "proxy/http2/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/proxy/http2/server_fixture.h"

namespace heddle::http2 {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST_F(Http2Server, ARequestIsTextOfHttp1) {
  ASSERT_TRUE(open(1, h2::with(h2::get("/a?b"), "x-y", "z"), kWhole));
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_THAT(requests[0]->heads(),
              ElementsAre("GET /a?b HTTP/1.1\r\nhost: web\r\nx-y: z\r\n\r\n"));
  EXPECT_TRUE(requests[0]->body_ended());
}

TEST_F(Http2Server, ABodyWithoutLengthIsChunkedAndCrumbsOfCookiesAreOne) {
  h2::Fields fields = h2::with(h2::with(h2::post(), "cookie", "a=1"), "cookie", "b=2");
  ASSERT_TRUE(open(1, fields, h2::kEndHeaders));
  EXPECT_THAT(requests[0]->heads()[0], HasSubstr("cookie: a=1; b=2\r\ntransfer-encoding: chunked"));
  ASSERT_TRUE(say(h2::frame(h2::kData, 0, 1, "abc")));
  EXPECT_FALSE(requests[0]->body_ended());
  ASSERT_TRUE(say(h2::headers(1, {{"x-sum", "1"}})));
  EXPECT_TRUE(requests[0]->body_ended());
  EXPECT_EQ(requests[0]->body(), "abc");
  EXPECT_EQ(requests[0]->trailers(), "x-sum: 1\r\n");
}

struct Bad {
  const char* what;
  h2::Fields fields;
};

TEST_F(Http2Server, MalformedHeadsResetTheirStreamAlone) {
  const Bad cases[] = {
      {"upper case", h2::with(h2::get(), "X-Y", "z")},
      {"empty name", h2::with(h2::get(), "", "z")},
      {"control character in a value", h2::with(h2::get(), "x", "a\rb")},
      {"line end in a value", h2::with(h2::get(), "x", "a\r\nhost: b")},
      {"zero byte", h2::with(h2::get(), "x", std::string("a\0b", 3))},
      {"space in a name", h2::with(h2::get(), "x y", "z")},
      {"colon in a name", h2::with(h2::get(), "x:y", "z")},
      {"space before a value", h2::with(h2::get(), "x", " z")},
      {"space after a value", h2::with(h2::get(), "x", "z ")},
      {"connection", h2::with(h2::get(), "connection", "close")},
      {"keep-alive", h2::with(h2::get(), "keep-alive", "1")},
      {"proxy-connection", h2::with(h2::get(), "proxy-connection", "close")},
      {"transfer-encoding", h2::with(h2::get(), "transfer-encoding", "chunked")},
      {"upgrade", h2::with(h2::get(), "upgrade", "websocket")},
      {"te", h2::with(h2::get(), "te", "gzip")},
      {"late pseudo-header", h2::with(h2::with({}, "x", "y"), ":method", "GET")},
      {"unknown pseudo-header", h2::with(h2::get(), ":color", "red")},
      {"response's pseudo-header", h2::with(h2::get(), ":status", "200")},
      {"two methods", h2::with(h2::get(), ":method", "GET")},
      {"two paths", h2::with(h2::get(), ":path", "/")},
      {"no method", {{":scheme", "http"}, {":path", "/"}, {":authority", "a"}}},
      {"no scheme", {{":method", "GET"}, {":path", "/"}, {":authority", "a"}}},
      {"no path", {{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}}},
      {"empty path", h2::get("")},
      {"path with a space", h2::get("/a b")},
      {"path with a line end", h2::get("/ HTTP/1.1\r\nhost: b")},
      {"path without a slash", h2::get("a")},
      {"authority with a user",
       {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "u@a"}}},
      {"length with an end and no body", h2::with(h2::post(), "content-length", "3")},
      {"length that is none", h2::with(h2::post(), "content-length", "+0")},
      {"two lengths", h2::with(h2::with(h2::post(), "content-length", "0"), "content-length", "0")},
  };
  std::uint32_t id = 1;
  for (const Bad& one : cases) {
    ASSERT_TRUE(open(id, one.fields, kWhole)) << one.what;
    EXPECT_EQ(h2::reset(said(), id), 1u) << one.what;
    id += 2;
  }
  EXPECT_TRUE(requests.empty());
  ASSERT_TRUE(open(id, h2::get(), kWhole));
  EXPECT_EQ(requests.size(), 1u);
}

TEST_F(Http2Server, AHostThatDiffersFromTheAuthorityIsLeftForHttp1ToRefuse) {
  ASSERT_TRUE(open(1, h2::with(h2::get(), "host", "other"), kWhole));
  EXPECT_THAT(requests[0]->heads()[0], HasSubstr("host: web\r\nhost: other\r\n"));
  ASSERT_TRUE(open(3, h2::with(h2::get(), "host", "web"), kWhole));
  EXPECT_THAT(requests[1]->heads()[0], ::testing::Not(HasSubstr("host: web\r\nhost")));
}

TEST_F(Http2Server, LengthAndDataHaveToAgree) {
  const h2::Fields three = h2::with(h2::post(), "content-length", "3");
  ASSERT_TRUE(open(1, three, h2::kEndHeaders));
  ASSERT_TRUE(say(h2::frame(h2::kData, h2::kEndStream, 1, "ab")));
  EXPECT_EQ(h2::reset(said(), 1), 1u);
  EXPECT_FALSE(requests[0]->body_ended());
  ASSERT_TRUE(open(3, three, h2::kEndHeaders));
  ASSERT_TRUE(say(h2::frame(h2::kData, h2::kEndStream, 3, "abcd")));
  EXPECT_EQ(h2::reset(said(), 3), 1u);
  ASSERT_TRUE(open(5, three, h2::kEndHeaders));
  ASSERT_TRUE(say(h2::frame(h2::kData, h2::kEndStream, 5, "abc")));
  EXPECT_TRUE(requests[2]->body_ended());
}

TEST_F(Http2Server, TrailersCarryNothingThatFramesOrRoutes) {
  const h2::Fields cases[] = {{{"content-length", "3"}}, {{"host", "b"}}, {{":path", "/b"}},
                              {{"x-request-id", "1"}},   {{"X", "y"}},    {{"te", "trailers"}}};
  std::uint32_t id = 1;
  for (const h2::Fields& trailers : cases) {
    ASSERT_TRUE(open(id, h2::post(), h2::kEndHeaders));
    ASSERT_TRUE(say(h2::headers(id, trailers)));
    EXPECT_EQ(h2::reset(said(), id), 1u) << trailers[0].first;
    EXPECT_TRUE(requests.back()->is_over());
    id += 2;
  }
}

struct Broken {
  const char* what;
  std::string bytes;
  std::uint32_t code;  // of GOAWAY
};

class Http2Breaks : public Http2Server, public ::testing::WithParamInterface<Broken> {};

TEST_P(Http2Breaks, TheConnectionEndsWithTheRightCode) {
  // Streams 1 (open) and 3 (ended by the client, unanswered).
  ASSERT_TRUE(open(1, h2::post(), h2::kEndHeaders));
  ASSERT_TRUE(open(3, h2::get(), kWhole));
  (void)say(GetParam().bytes);
  EXPECT_EQ(goaway(), GetParam().code) << GetParam().what;
}

const std::string kTooLong(16385, 'x');

INSTANTIATE_TEST_SUITE_P(
    All, Http2Breaks,
    ::testing::Values(
        Broken{"DATA on an idle stream", h2::frame(h2::kData, 0, 9, "a"), 1},
        Broken{"DATA on stream 0", h2::frame(h2::kData, 0, 0, "a"), 1},
        Broken{"HEADERS on stream 0", h2::headers(0, h2::get()), 1},
        Broken{"HEADERS on an even stream", h2::headers(2, h2::get()), 1},
        Broken{"RST_STREAM on an idle stream", h2::frame(h2::kRstStream, 0, 9, h2::number(8)), 1},
        Broken{"WINDOW_UPDATE on an idle stream", h2::frame(h2::kWindowUpdate, 0, 9, h2::number(8)),
               1},
        Broken{"window of the connection overflows",
               h2::frame(h2::kWindowUpdate, 0, 0, h2::number(0x7fffffff)), 3},
        Broken{"WINDOW_UPDATE by 0", h2::frame(h2::kWindowUpdate, 0, 0, h2::number(0)), 1},
        Broken{"frame too long", h2::frame(h2::kData, 0, 1, kTooLong), 6},
        Broken{"PING of 7 bytes", h2::frame(h2::kPing, 0, 0, "1234567"), 6},
        Broken{"PING on a stream", h2::frame(h2::kPing, 0, 1, "12345678"), 1},
        Broken{"SETTINGS of 5 bytes", h2::frame(h2::kSettings, 0, 0, "12345"), 6},
        Broken{"SETTINGS on a stream", h2::frame(h2::kSettings, 0, 1, ""), 1},
        Broken{"SETTINGS ACK with bytes", h2::frame(h2::kSettings, h2::kAck, 0, "123456"), 6},
        Broken{"ENABLE_PUSH of 2", h2::frame(h2::kSettings, 0, 0, h2::number(2, 2) + h2::number(2)),
               1},
        Broken{"window setting too large",
               h2::frame(h2::kSettings, 0, 0, h2::number(4, 2) + h2::number(0x80000000)), 3},
        Broken{"frame size setting too small",
               h2::frame(h2::kSettings, 0, 0, h2::number(5, 2) + h2::number(16383)), 1},
        Broken{
            "PUSH_PROMISE from a client",
            h2::frame(h2::kPushPromise, h2::kEndHeaders, 1, h2::number(2) + h2::block(h2::get())),
            1},
        Broken{"CONTINUATION without HEADERS",
               h2::frame(h2::kContinuation, h2::kEndHeaders, 1, h2::block(h2::get())), 1},
        Broken{"another frame within a header block",
               h2::headers(5, h2::get(), h2::kEndStream) + h2::frame(h2::kPing, 0, 0, "12345678"),
               1},
        Broken{"CONTINUATION of another stream",
               h2::headers(5, h2::get(), h2::kEndStream) +
                   h2::frame(h2::kContinuation, h2::kEndHeaders, 7, ""),
               1},
        Broken{"HPACK index that is not there", h2::frame(h2::kHeaders, kWhole, 5, "\xff\x00"), 9},
        Broken{"HPACK table larger than allowed",
               h2::frame(h2::kHeaders, kWhole, 5, "\x3f\xe1\xff\x3f"), 9},
        Broken{"HPACK cut short", h2::frame(h2::kHeaders, kWhole, 5, std::string("\0\x05zz", 4)),
               9},
        Broken{"padding longer than the frame",
               h2::frame(h2::kData, h2::kPadded, 1,
                         "\x05"
                         "abc"),
               1},
        Broken{"stream id below one that was used",
               h2::headers(7, h2::get()) + h2::headers(5, h2::get()), 1},
        Broken{"HEADERS on a stream that its sender ended", h2::headers(3, h2::get()), 5},
        Broken{"PRIORITY of a wrong size", h2::frame(h2::kPriority, 0, 1, "1234"), 6},
        Broken{"GOAWAY on a stream", h2::frame(h2::kGoaway, 0, 1, std::string(8, '\0')), 1}));

TEST_F(Http2Server, ABadPrefaceIsNoHttp2) {
  Session fresh(Session::Role::server, limits, *this);
  EXPECT_FALSE(fresh.receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n", now));
  EXPECT_EQ(match_preface("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0"), Preface::yes);
  EXPECT_EQ(match_preface("PRI * HT"), Preface::begun);
  EXPECT_EQ(match_preface("PRI * HTTP/1.1"), Preface::no);
  EXPECT_EQ(match_preface(""), Preface::no);
}

TEST_F(Http2Server, DataAfterTheEndIsAnError) {
  ASSERT_TRUE(open(1, h2::get(), kWhole));
  (void)say(h2::frame(h2::kData, 0, 1, "a"));
  EXPECT_EQ(goaway(), 5u);
}

TEST_F(Http2Server, DataAfterAResetOrAFinishedStreamIsNotLetPass) {
  ASSERT_TRUE(open(1, h2::post(), h2::kEndHeaders));
  ASSERT_TRUE(say(h2::frame(h2::kRstStream, 0, 1, h2::number(8))));
  output.clear();
  ASSERT_TRUE(say(h2::frame(h2::kData, 0, 1, "a")));
  EXPECT_EQ(h2::reset(said(), 1), 5u);
  ASSERT_TRUE(open(3, h2::get(), kWhole));
  FieldBlock ok;
  ok.add(":status", "200");
  session.respond(*requests[1], ok, Session::Body::none);
  (void)said();
  EXPECT_FALSE(say(h2::frame(h2::kData, 0, 3, "a")));
  EXPECT_EQ(goaway(), 5u);
}

TEST_F(Http2Server, AnAnswerGoesOutInPiecesWithTrailers) {
  ASSERT_TRUE(open(1, h2::get(), kWhole));
  FieldBlock ok;
  ok.add(":status", "200");
  session.respond(*requests[0], ok, Session::Body::follows);
  EXPECT_EQ(session.write(*requests[0], "hello "), 6u);
  (void)said();
  EXPECT_FALSE(requests[0]->all_sent());
  EXPECT_EQ(session.write(*requests[0], "world"), 5u);
  session.end(*requests[0], "grpc-status: 0\r\n");
  EXPECT_EQ(h2::data(said(), 1), "hello world");
  EXPECT_TRUE(h2::ended(said(), 1));
  EXPECT_EQ(said().back().type, h2::kHeaders);
  EXPECT_TRUE(requests[0]->is_over());
  EXPECT_EQ(requests[0]->over(), ErrorCode::no_error);
}

TEST_F(Http2Server, AClosedWindowHoldsBytesBackWithinABound) {
  ASSERT_TRUE(say(h2::frame(h2::kSettings, 0, 0, h2::number(4, 2) + h2::number(10))));
  ASSERT_TRUE(open(1, h2::get(), kWhole));
  FieldBlock ok;
  ok.add(":status", "200");
  session.respond(*requests[0], ok, Session::Body::follows);
  const std::string large(1 << 20, 'x');
  EXPECT_EQ(session.write(*requests[0], large), limits.stream_buffer);
  EXPECT_EQ(session.write(*requests[0], large), 0u);
  EXPECT_EQ(h2::data(said(), 1).size(), 10u);
  ASSERT_TRUE(say(h2::frame(h2::kWindowUpdate, 0, 1, h2::number(60000))));
  EXPECT_EQ(h2::data(said(), 1).size(), 60010u);
  EXPECT_GT(requests[0]->room, 0);
}

TEST_F(Http2Server, WhatIsNotReadIsNotAskedFor) {
  ASSERT_TRUE(open(1, h2::post(), h2::kEndHeaders));
  const std::string piece(16384, 'x');
  for (std::size_t sent = 0; sent < limits.stream_window; sent += piece.size()) {
    ASSERT_TRUE(say(h2::frame(h2::kData, 0, 1, piece)));
  }
  const auto updates = [&](std::uint32_t stream) {
    return std::ranges::count_if(said(), [&](const h2::Frame& one) {
      return one.type == h2::kWindowUpdate && one.stream == stream;
    });
  };
  EXPECT_EQ(updates(1), 0);
  session.consume(*requests[0], limits.stream_window);
  EXPECT_GT(updates(1), 0);
  // More than the window is a broken peer, not a full memory.
  for (std::size_t sent = 0; sent <= limits.stream_window; sent += piece.size()) {
    (void)say(h2::frame(h2::kData, 0, 1, piece));
  }
  EXPECT_EQ(h2::reset(said(), 1), 3u);
}

TEST_F(Http2Server, AResetByTheClientEndsTheStream) {
  ASSERT_TRUE(open(1, h2::post(), h2::kEndHeaders));
  ASSERT_TRUE(say(h2::frame(h2::kRstStream, 0, 1, h2::number(8))));
  EXPECT_EQ(requests[0]->over(), ErrorCode::cancel);
  EXPECT_GT(requests[0]->came, 0);
}

TEST_F(Http2Server, ARefusedStreamIsToldSo) {
  refuse = true;
  ASSERT_TRUE(open(1, h2::get(), kWhole));
  EXPECT_EQ(h2::reset(said(), 1), 7u);
}

TEST_F(Http2Server, ShutdownServesWhatWasSentBeforeItWasRead) {
  ASSERT_TRUE(open(1, h2::get(), kWhole));
  session.announce_shutdown();
  std::string ping;
  for (const h2::Frame& one : said()) {
    if (one.type == h2::kPing) ping = one.payload;
    if (one.type == h2::kGoaway) {
      EXPECT_EQ(h2::code_at(one.payload, 0), 0x7fffffffu);
    }
  }
  ASSERT_EQ(ping.size(), 8u);
  ASSERT_TRUE(open(3, h2::get(), kWhole));
  ASSERT_TRUE(say(h2::frame(h2::kPing, h2::kAck, 0, ping)));
  EXPECT_TRUE(shutdown_read);
  session.shutdown();
  ASSERT_TRUE(open(5, h2::get(), kWhole));  // too late
  EXPECT_EQ(requests.size(), 2u);
  EXPECT_EQ(h2::reset(said(), 5), 7u);
  std::uint32_t last = 0;
  for (const h2::Frame& one : said()) {
    if (one.type == h2::kGoaway) last = h2::code_at(one.payload, 0);
  }
  EXPECT_EQ(last, 3u);
}

TEST_F(Http2Server, LargeHeadsAreNotKept) {
  h2::Fields fields = h2::get();
  for (int i = 0; i < 10; ++i) fields.emplace_back("x", std::string(8000, 'y'));
  const std::string all = h2::block(fields);
  ASSERT_TRUE(say(h2::frame(h2::kHeaders, h2::kEndStream, 1, all.substr(0, 16384))));
  std::size_t at = 16384;
  for (; at + 16384 < all.size(); at += 16384) {
    ASSERT_TRUE(say(h2::frame(h2::kContinuation, 0, 1, all.substr(at, 16384))));
  }
  ASSERT_TRUE(say(h2::frame(h2::kContinuation, h2::kEndHeaders, 1, all.substr(at))));
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_TRUE(requests[0]->head_too_large());
}

TEST_F(Http2Server, TooManyFieldsAreNotKept) {
  h2::Fields fields = h2::get();
  for (int i = 0; i < 150; ++i) fields.emplace_back("x", "y");
  ASSERT_TRUE(open(1, fields, kWhole));
  EXPECT_TRUE(requests[0]->head_too_large());
}

// A client's session against a server's, in memory.
class Http2Pair : public Http2Server {
 protected:
  struct Client final : Session::Handler {
    std::unique_ptr<Stream> make_stream() override { return nullptr; }
    void on_request(std::unique_ptr<Stream>) override {}
    void on_goaway() override { goaway = true; }
    void on_shutdown_read() override {}
    void on_flood(Flood) override {}
    void on_output() override {}
    bool goaway = false;
  };

  void exchange() {
    for (int i = 0; i < 10; ++i) {
      std::string bytes;
      asking.take_output(bytes, std::string::npos);
      if (!bytes.empty()) (void)serving.receive(bytes, now);
      bytes.clear();
      serving.take_output(bytes, std::string::npos);
      if (!bytes.empty()) (void)asking.receive(bytes, now);
    }
  }

  Client client;
  Session serving{Session::Role::server, limits, *this};
  Session asking{Session::Role::client, limits, client};
};

FieldBlock get_block() {
  FieldBlock out;
  for (const auto& [name, value] : h2::get()) out.add(name, value);
  return out;
}

TEST_F(Http2Pair, ARequestAndItsAnswerWithInterimHeadBodyAndTrailers) {
  TestStream asked;
  ASSERT_TRUE(asking.open(asked, get_block(), Session::Body::follows));
  EXPECT_EQ(asking.write(asked, "question"), 8u);
  asking.end(asked, "x-end: 1\r\n");
  exchange();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0]->body(), "question");
  EXPECT_EQ(requests[0]->trailers(), "x-end: 1\r\n");
  FieldBlock hints;
  hints.add(":status", "103");
  serving.respond_interim(*requests[0], hints);
  FieldBlock ok;
  ok.add(":status", "200");
  ok.add("Content-Type", "a/b");
  serving.respond(*requests[0], ok, Session::Body::follows);
  serving.write(*requests[0], "answer");
  serving.end(*requests[0], "grpc-status: 0\r\n");
  exchange();
  EXPECT_THAT(asked.heads(),
              ElementsAre("HTTP/1.1 103 \r\n\r\n", "HTTP/1.1 200 \r\ncontent-type: a/b\r\n\r\n"));
  EXPECT_EQ(asked.body(), "answer");
  EXPECT_EQ(asked.trailers(), "grpc-status: 0\r\n");
  EXPECT_EQ(asked.over(), ErrorCode::no_error);
}

TEST_F(Http2Pair, RefusedStreamsAreUntouchedAndResetOnesAreNot) {
  TestStream refused;
  refuse = true;
  ASSERT_TRUE(asking.open(refused, get_block(), Session::Body::none));
  exchange();
  EXPECT_TRUE(refused.untouched());
  refuse = false;
  TestStream reset;
  ASSERT_TRUE(asking.open(reset, get_block(), Session::Body::none));
  exchange();
  serving.reset(*requests.at(0), ErrorCode::internal_error);
  exchange();
  EXPECT_TRUE(reset.is_over());
  EXPECT_FALSE(reset.untouched());
}

TEST_F(Http2Pair, StreamsAboveGoawaysLastOneAreUntouched) {
  TestStream served;
  ASSERT_TRUE(asking.open(served, get_block(), Session::Body::none));
  exchange();
  serving.shutdown();
  std::string bytes;
  serving.take_output(bytes, std::string::npos);
  TestStream late;
  ASSERT_TRUE(asking.open(late, get_block(), Session::Body::none));
  std::string sent;
  asking.take_output(sent, std::string::npos);
  ASSERT_TRUE(asking.receive(bytes, now));
  EXPECT_TRUE(client.goaway);
  EXPECT_TRUE(late.untouched());
  EXPECT_FALSE(served.is_over());
  TestStream later;
  if (asking.open(later, get_block(), Session::Body::none)) {
    asking.take_output(sent, std::string::npos);
    EXPECT_TRUE(later.untouched());
  }
}

TEST_F(Http2Pair, AStreamThatIsLeftIsCancelled) {
  auto asked = std::make_unique<TestStream>();
  ASSERT_TRUE(asking.open(*asked, get_block(), Session::Body::follows));
  exchange();
  ASSERT_EQ(requests.size(), 1u);
  asked.reset();
  exchange();
  EXPECT_EQ(requests[0]->over(), ErrorCode::cancel);
  EXPECT_EQ(asking.streams(), 0u);
}

TEST_F(Http2Pair, WhatIsLostWithTheConnectionSaysWhetherItWasSent) {
  TestStream unsent;
  ASSERT_TRUE(asking.open(unsent, get_block(), Session::Body::none));
  asking.abandon(true);
  EXPECT_TRUE(unsent.untouched());
  TestStream other;
  Session second(Session::Role::client, limits, client);
  ASSERT_TRUE(second.open(other, get_block(), Session::Body::none));
  second.abandon(false);
  EXPECT_TRUE(other.is_over());
  EXPECT_FALSE(other.untouched());
}

}  // namespace
}  // namespace heddle::http2
