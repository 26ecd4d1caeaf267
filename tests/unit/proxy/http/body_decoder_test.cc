#include "proxy/http/body_decoder.h"

#include <gtest/gtest.h>

namespace heddle::http {
namespace {

struct Outcome {
  std::string body;
  std::string verdict;  // "done", "more" or the refusal
  std::string rest;
  std::string trailers;
};

// Feeds `bytes` in steps of `step`.
Outcome decode(Framing framing, std::string_view bytes, std::size_t step, Limits limits = {}) {
  BodyDecoder decoder(framing, limits);
  Outcome out;
  std::string_view left = bytes;
  while (!decoder.done() && !left.empty()) {
    const auto piece = decoder.next(left.substr(0, step));
    if (!piece) {
      out.verdict = name_of(piece.error());
      return out;
    }
    out.body += piece->data;
    left.remove_prefix(piece->consumed);
  }
  out.verdict = decoder.done() ? "done" : "more";
  out.rest = left;
  out.trailers = decoder.trailers();
  return out;
}

constexpr Framing kChunked{BodyKind::chunked, 0};

TEST(Chunks, ComeOutTheSameInAnySteps) {
  const std::string_view bytes =
      "5\r\nhello\r\n6;a=b;c=\"d\\\"e\"\r\n world\r\n0\r\nX-Sum: 1\r\n\r\nGET /";
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    const Outcome out = decode(kChunked, bytes, step);
    EXPECT_EQ(out.verdict, "done") << step;
    EXPECT_EQ(out.body, "hello world");
    EXPECT_EQ(out.rest, "GET /");
    EXPECT_EQ(out.trailers, "X-Sum: 1\r\n");
  }
}

TEST(Chunks, MalformedOnesAreRefused) {
  const struct {
    std::string_view bytes;
    std::string_view verdict;
  } cases[] = {
      {"\r\n", "chunk_size"},
      {"+5\r\nhello\r\n", "chunk_size"},
      {"-5\r\nhello\r\n", "chunk_size"},
      {"0x5\r\nhello\r\n", "chunk_size"},
      {" 5\r\nhello\r\n", "chunk_size"},
      {"5 \r\nhello\r\n", "chunk_size"},
      {"5\t;a\r\nhello\r\n", "chunk_size"},
      {"g\r\n", "chunk_size"},
      {"ffffffffffffffff\r\n", "chunk_size"},
      {"0000000000000005\r\n", "chunk_size"},
      {"5\nhello", "chunk_size"},
      {"5\rhello", "line_end"},
      {"5;\r\nhello\r\n", "chunk_extension"},
      {"5;a\nhello\r\n", "chunk_extension"},
      {"5; a=b\r\nhello\r\n", "chunk_extension"},
      {"5;a=\r\nhello\r\n", "chunk_extension"},
      {"5;a=\"b\r\nhello\r\n", "chunk_extension"},
      {"5;a=\"b\"c\r\nhello\r\n", "chunk_extension"},
      {"5\r\nhelloX\r\n", "chunk_end"},
      {"5\r\nhello\n", "chunk_end"},
      {"5\r\nhello0\r\n\r\n", "chunk_end"},
      {"5\r\nhello\rX", "chunk_end"},
      {"0\r\nContent-Length: 5\r\n\r\n", "trailer"},
      {"0\r\nTransfer-Encoding: chunked\r\n\r\n", "trailer"},
      {"0\r\nHost: b\r\n\r\n", "trailer"},
      {"0\r\nX-Forwarded-For: b\r\n\r\n", "trailer"},
      {"0\r\nbad\r\n\r\n", "trailer"},
      {"0\r\n folded: x\r\n\r\n", "trailer"},
      {"0\r\nX: y\n\r\n", "line_end"},
      {"0\r\n\n", "line_end"},
  };
  for (const auto& c : cases) {
    for (const std::size_t step : {std::size_t{1}, std::size_t{100}}) {
      EXPECT_EQ(decode(kChunked, c.bytes, step).verdict, c.verdict) << c.bytes;
    }
  }
}

TEST(Chunks, ExtensionsAndTrailersAreBounded) {
  Limits limits;
  limits.chunk_extension_bytes = 20;
  limits.trailer_bytes = 20;
  std::string many;
  for (int i = 0; i < 20; ++i) many += "1;a\r\nx\r\n";
  EXPECT_EQ(decode(kChunked, many, 7, limits).verdict, "chunk_extension");
  EXPECT_EQ(decode(kChunked, "0\r\nA: aaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n", 7, limits).verdict,
            "trailer");
}

TEST(Lengths, EndWhereTheySay) {
  for (std::size_t step = 1; step < 8; ++step) {
    const Outcome out = decode({BodyKind::length, 5}, "helloGET", step);
    EXPECT_EQ(out.verdict, "done");
    EXPECT_EQ(out.body, "hello");
    EXPECT_EQ(out.rest, "GET");
  }
  EXPECT_EQ(decode({BodyKind::length, 5}, "hell", 9).verdict, "more");
}

TEST(UntilClose, EndsAtCloseOnly) {
  BodyDecoder open({BodyKind::until_close, 0}, {});
  EXPECT_EQ(open.next("abc")->data, "abc");
  EXPECT_FALSE(open.done());
  EXPECT_TRUE(open.finish_at_close());
  BodyDecoder length({BodyKind::length, 5}, {});
  EXPECT_FALSE(length.finish_at_close());
  EXPECT_TRUE(BodyDecoder({BodyKind::none, 0}, {}).done());
}

}  // namespace
}  // namespace heddle::http
