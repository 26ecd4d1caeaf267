#include "topologies/traffic/http.h"

#include <gtest/gtest.h>

namespace heddle::traffic {
namespace {

using namespace std::string_literals;

TEST(HttpUrl, IsTakenApart) {
  const auto url = parse_http_url("http://web:8080/a?b");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->host, "web");
  EXPECT_EQ(url->port, 8080);
  EXPECT_EQ(url->path, "/a?b");
  EXPECT_EQ(url->authority, "web:8080");
  EXPECT_EQ(parse_http_url("http://web")->path, "/");
  for (const char* bad : {"", "web", "https://web/", "http://", "http://:80/", "http://w:0/",
                          "http://w:99999/", "http://w:x/", "http://w/a b", "http://w/\r\nX: y"})
    EXPECT_FALSE(parse_http_url(bad)) << bad;
}

ResponseParser fed(const std::string& text, std::size_t piece) {
  ResponseParser parser;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    if (!parser.feed(std::string_view(text).substr(at, piece))) break;
  }
  return parser;
}

TEST(Response, LengthsChunksAndPiecesOfAnySize) {
  for (const std::size_t piece : {1, 2, 7, 1000}) {
    const auto plain = fed("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhost1\n", piece);
    EXPECT_TRUE(plain.done());
    EXPECT_EQ(plain.first_line(), "host1");
    EXPECT_FALSE(plain.closes());
    const auto chunked =
        fed("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
            "3\r\nhos\r\n2;x=y\r\nt2\r\n0\r\nTrailer: x\r\n\r\n",
            piece);
    EXPECT_TRUE(chunked.done());
    EXPECT_EQ(chunked.first_line(), "host2");
    EXPECT_TRUE(fed("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", piece).done());
  }
}

TEST(Response, WithoutALengthTheCloseEndsIt) {
  auto parser = fed("HTTP/1.0 200 OK\r\n\r\nabc", 100);
  EXPECT_FALSE(parser.done());
  EXPECT_TRUE(parser.finish_at_close());
  EXPECT_TRUE(parser.closes());
}

TEST(Response, ACloseInTheMiddleIsNoAnswer) {
  EXPECT_FALSE(fed("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhos", 100).finish_at_close());
  EXPECT_FALSE(ResponseParser().finish_at_close());
}

TEST(Response, GarbageIsRefused) {
  for (const char* bad : {"SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 2\r\n\r\n",
                          "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
                          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab"})
    EXPECT_FALSE(fed(bad, 1000).problem().empty()) << bad;
  EXPECT_FALSE(fed("HTTP/1.1 200 OK\r\nX: " + std::string(70'000, 'a'), 1000).problem().empty());
}

TEST(Response, AsMuchOfTheBodyIsKeptAsIsWanted) {
  ResponseParser parser(100);
  EXPECT_TRUE(
      parser.feed("HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n" + std::string(200, 'x')));
  EXPECT_TRUE(parser.done());
  EXPECT_EQ(parser.body().size(), 100U);
}

}  // namespace
}  // namespace heddle::traffic
