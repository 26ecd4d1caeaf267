#include <gtest/gtest.h>

#include "proxy/http/message.h"

namespace heddle::http {
namespace {

struct Parsed : ResponseHead {
  explicit Parsed(std::string_view raw, bool to_head = false) {
    const ResponseContext context{to_head};
    refusal = parse_response(raw, {}, context, *this);
  }
  std::optional<Refusal> refusal;
};

std::string judge(std::string_view bytes) {
  const Parsed head(bytes);
  return head.refusal ? std::string(name_of(*head.refusal)) : "ok";
}

TEST(Response, MalformedOnesAreRefused) {
  EXPECT_EQ(judge("HTTP/1.1 200 OK\r\n\r\n"), "ok");
  EXPECT_EQ(judge("HTTP/1.1 200\r\n\r\n"), "ok") << "no reason phrase";
  EXPECT_EQ(judge("HTTP/1.1 20 OK\r\n\r\n"), "status_line");
  EXPECT_EQ(judge("HTTP/1.1 2000 OK\r\n\r\n"), "status_line");
  EXPECT_EQ(judge("HTTP/1.1 099 OK\r\n\r\n"), "status_line");
  EXPECT_EQ(judge("HTTP/1.1  200 OK\r\n\r\n"), "status_line");
  EXPECT_EQ(judge("HTTP/1.1 200 O\x01K\r\n\r\n"), "status_line");
  EXPECT_EQ(judge("ICY 200 OK\r\n\r\n"), "status_line");
  EXPECT_EQ(judge("HTTP/2.0 200 OK\r\n\r\n"), "unsupported_version");
  const auto fields = [](std::string_view text) {
    return judge("HTTP/1.1 200 OK\r\n" + std::string(text) + "\r\n");
  };
  EXPECT_EQ(fields("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), "length_and_encoding");
  EXPECT_EQ(fields("Content-Length: 1\r\nContent-Length: 2\r\n"), "content_length");
  EXPECT_EQ(fields("Content-Length: x\r\n"), "content_length");
  EXPECT_EQ(fields("Transfer-Encoding: gzip\r\n"), "unknown_coding");
  EXPECT_EQ(fields("X: a\r\n b\r\n"), "obs_fold");
  EXPECT_EQ(fields("X : a\r\n"), "field_name");
  EXPECT_EQ(fields("X: a\x02\r\n"), "field_value");
  EXPECT_EQ(judge("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), "transfer_encoding");
}

TEST(Response, BodyFollowsStatusAndRequest) {
  const auto body = [](std::string_view head, bool to_head = false) {
    return Parsed("HTTP/1.1 " + std::string(head) + "\r\n", to_head).body;
  };
  EXPECT_EQ(body("200 OK\r\nContent-Length: 7\r\n"), (Framing{BodyKind::length, 7}));
  EXPECT_EQ(body("200 OK\r\nContent-Length: 0\r\n"), (Framing{BodyKind::none, 0}));
  EXPECT_EQ(body("200 OK\r\n"), (Framing{BodyKind::until_close, 0}));
  EXPECT_EQ(body("200 OK\r\nTransfer-Encoding: chunked\r\n"), (Framing{BodyKind::chunked, 0}));
  EXPECT_EQ(body("200 OK\r\nContent-Length: 7\r\n", true), Framing{});
  EXPECT_EQ(body("204 No Content\r\n"), Framing{});
  EXPECT_EQ(body("304 Not Modified\r\nContent-Length: 7\r\n"), Framing{});
  EXPECT_EQ(body("101 Switching Protocols\r\n"), Framing{});
}

TEST(Response, OnlyOnesWithoutDoubtLeaveTheConnectionUsable) {
  const auto reusable = [](std::string_view head, bool to_head = false) {
    return Parsed("HTTP/1.1 " + std::string(head) + "\r\n", to_head).reusable;
  };
  EXPECT_TRUE(reusable("200 OK\r\nContent-Length: 7\r\n"));
  EXPECT_TRUE(reusable("200 OK\r\nTransfer-Encoding: chunked\r\n"));
  EXPECT_TRUE(reusable("200 OK\r\nContent-Length: 7\r\n", true));
  EXPECT_TRUE(reusable("304 Not Modified\r\nContent-Length: 7\r\n"));
  EXPECT_TRUE(reusable("204 No Content\r\n"));
  EXPECT_FALSE(reusable("204 No Content\r\nContent-Length: 3\r\n"));
  EXPECT_FALSE(reusable("204 No Content\r\nTransfer-Encoding: chunked\r\n"));
  EXPECT_FALSE(reusable("200 OK\r\n"));
  EXPECT_FALSE(reusable("200 OK\r\nContent-Length: 7\r\nConnection: close\r\n"));
}

}  // namespace
}  // namespace heddle::http
