#include "topologies/traffic/http.h"

#include <gtest/gtest.h>

#include "topologies/traffic/dns.h"

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

TEST(Dns, AQueryIsWellFormed) {
  const auto query = encode_dns_query(0x1234, "web.app.");
  ASSERT_TRUE(query);
  EXPECT_EQ(*query,
            "\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03web\x03"s
            "app\0\0\x01\0\x01"s);
  EXPECT_FALSE(encode_dns_query(1, "a..b"));
  EXPECT_FALSE(encode_dns_query(1, ""));
  EXPECT_FALSE(encode_dns_query(1, std::string(64, 'a')));
}

TEST(Dns, AnswersAreReadFromTheirHeader) {
  const auto answer = read_dns_answer("\x12\x34\x81\x83\0\x01\0\x02\0\0\0\0"s);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->id, 0x1234);
  EXPECT_EQ(answer->rcode, 3);
  EXPECT_EQ(answer->answers, 2);
  EXPECT_FALSE(read_dns_answer("\x12\x34\x01\x03\0\x01\0\x02\0\0\0\0"s));  // a query
  EXPECT_FALSE(read_dns_answer("short"));
}

}  // namespace
}  // namespace heddle::traffic
