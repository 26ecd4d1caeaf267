#include <gtest/gtest.h>

#include "proxy/http/head_scanner.h"
#include "proxy/http/message.h"

namespace heddle::http {
namespace {

// What a connection would say to these bytes: the refusal's name, "ok", or "more".
std::string judge(std::string_view bytes, const Limits& limits = {}) {
  HeadScanner scanner;
  const auto scanned = scanner.scan(bytes, limits);
  if (!scanned) return std::string(name_of(scanned.error()));
  if (!*scanned) return "more";
  RequestHead head;
  const auto refusal = parse_request(bytes.substr(0, **scanned), limits, head);
  return refusal ? std::string(name_of(*refusal)) : "ok";
}

std::string with_fields(std::string_view fields) {
  return judge("POST / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n");
}

struct Case {
  std::string_view fields;
  std::string_view verdict;
};

TEST(RequestFraming, IsRefusedUnlessItHasOneMeaning) {
  const Case cases[] = {
      {"Content-Length: 5\r\n", "ok"},
      {"Content-Length: 0\r\n", "ok"},
      {"Transfer-Encoding: chunked\r\n", "ok"},
      {"transfer-encoding: CHUNKED\r\n", "ok"},
      {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "length_and_encoding"},
      {"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "length_and_encoding"},
      {"Content-Length: 5\r\nContent-Length: 6\r\n", "content_length"},
      {"Content-Length: 5\r\nContent-Length: 5\r\n", "content_length"},
      {"Content-Length: 5, 5\r\n", "content_length"},
      {"Content-Length:\r\n", "content_length"},
      {"Content-Length: +5\r\n", "content_length"},
      {"Content-Length: -5\r\n", "content_length"},
      {"Content-Length: 0x5\r\n", "content_length"},
      {"Content-Length: 1_0\r\n", "content_length"},
      {"Content-Length: 5 5\r\n", "content_length"},
      {"Content-Length: 5a\r\n", "content_length"},
      {"Content-Length: 9223372036854775808\r\n", "content_length"},
      {"Content-Length: 18446744073709551617\r\n", "content_length"},
      {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "transfer_encoding"},
      {"Transfer-Encoding: chunked, chunked\r\n", "transfer_encoding"},
      {"Transfer-Encoding: chunked, gzip\r\n", "transfer_encoding"},
      {"Transfer-Encoding: gzip, chunked\r\n", "transfer_encoding"},
      {"Transfer-Encoding:\r\n", "transfer_encoding"},
      {"Transfer-Encoding: ,chunked\r\n", "transfer_encoding"},
      {"Transfer-Encoding: chunked,\r\n", "transfer_encoding"},
      {"Transfer-Encoding: identity\r\n", "unknown_coding"},
      {"Transfer-Encoding: chunkedchunked\r\n", "unknown_coding"},
      {"Transfer-Encoding: \xa0"
       "chunked\r\n",
       "unknown_coding"},
      {"Transfer-Encoding: \x0b"
       "chunked\r\n",
       "field_value"},
      {"Transfer-Encoding: xchunked\r\n", "unknown_coding"},
      {"Transfer-Encoding: chunked;q=1\r\n", "unknown_coding"},
      {"Transfer-Encoding: 'chunked'\r\n", "unknown_coding"},
      {"Transfer-Encoding : chunked\r\n", "field_name"},
      {"Transfer-Encoding\t: chunked\r\n", "field_name"},
  };
  for (const Case& c : cases) EXPECT_EQ(with_fields(c.fields), c.verdict) << c.fields;
  EXPECT_EQ(judge("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
            "transfer_encoding");
}

TEST(RequestFields, AreRefusedWhenMalformed) {
  const Case cases[] = {
      {" X: folded-first\r\n", "obs_fold"},
      {"X: a\r\n b\r\n", "obs_fold"},
      {"X: a\r\n\tb\r\n", "obs_fold"},
      {"X : a\r\n", "field_name"},
      {": a\r\n", "field_name"},
      {"no colon\r\n", "field_name"},
      {"X(y): a\r\n", "field_name"},
      {"X\x01: a\r\n", "field_name"},
      {"X: a\x01\r\n", "field_value"},
      {"X: a\x7f\r\n", "field_value"},
      {"X: a\rb\r\n", "field_value"},
      {"X: a\nY: b\r\n", "line_end"},
      {"X: a\n", "line_end"},
      {"X: caf\xc3\xa9\r\n", "ok"},
      {"X:\r\n", "ok"},
      {"X:\ta\t\r\n", "ok"},
  };
  for (const Case& c : cases) EXPECT_EQ(with_fields(c.fields), c.verdict) << c.fields;
  EXPECT_EQ(with_fields(std::string("X: a\0b\r\n", 8)), "field_value");
}

TEST(RequestHost, MustBeThereOnceAndMatchTheTarget) {
  EXPECT_EQ(judge("GET / HTTP/1.1\r\n\r\n"), "missing_host");
  EXPECT_EQ(judge("GET / HTTP/1.0\r\n\r\n"), "ok");
  EXPECT_EQ(judge("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), "duplicate_host");
  for (const std::string_view bad :
       {"", "a b", "a,b", "a/b", "user@a", "a:b", "a:99999", "a:", "[::1", "[zz]", "a\"", "a?"}) {
    EXPECT_EQ(judge("GET / HTTP/1.1\r\nHost: " + std::string(bad) + "\r\n\r\n"), "host") << bad;
  }
  for (const std::string_view good : {"a", "A.b-c_d~", "1.2.3.4:80", "[::1]", "[fe80::1]:8080"}) {
    EXPECT_EQ(judge("GET / HTTP/1.1\r\nHost: " + std::string(good) + "\r\n\r\n"), "ok") << good;
  }
  EXPECT_EQ(judge("GET http://a/x HTTP/1.1\r\nHost: b\r\n\r\n"), "host_mismatch");
  EXPECT_EQ(judge("GET http://a:81/x HTTP/1.1\r\nHost: a\r\n\r\n"), "host_mismatch");
  EXPECT_EQ(judge("GET http://a/x HTTP/1.1\r\nHost: A:80\r\n\r\n"), "ok");
}

TEST(RequestLine, IsRefusedWhenMalformed) {
  const auto line = [](std::string_view text) {
    return judge(std::string(text) + "\r\nHost: a\r\n\r\n");
  };
  EXPECT_EQ(line("GET / HTTP/1.1"), "ok");
  EXPECT_EQ(line("get-it! / HTTP/1.1"), "ok");
  EXPECT_EQ(line("GET /"), "request_line");
  EXPECT_EQ(line("GET"), "request_line");
  EXPECT_EQ(line("G(T / HTTP/1.1"), "method");
  EXPECT_EQ(line(" GET / HTTP/1.1"), "method");
  EXPECT_EQ(line("GET  / HTTP/1.1"), "target");
  EXPECT_EQ(line("GET /  HTTP/1.1"), "target");
  EXPECT_EQ(line("GET /a b HTTP/1.1"), "target");
  EXPECT_EQ(line("GET /a#b HTTP/1.1"), "target");
  EXPECT_EQ(line("GET /a\tb HTTP/1.1"), "target");
  EXPECT_EQ(line("GET /a\x7f HTTP/1.1"), "target");
  EXPECT_EQ(line("GET a HTTP/1.1"), "target");
  EXPECT_EQ(line("GET * HTTP/1.1"), "target");
  EXPECT_EQ(line("OPTIONS * HTTP/1.1"), "ok");
  EXPECT_EQ(line("GET ftp://a/ HTTP/1.1"), "target");
  EXPECT_EQ(line("GET http:///x HTTP/1.1"), "target");
  EXPECT_EQ(line("GET http://u@a/x HTTP/1.1"), "target");
  EXPECT_EQ(line("CONNECT a HTTP/1.1"), "target");
  EXPECT_EQ(line("CONNECT /x HTTP/1.1"), "target");
  EXPECT_EQ(line("CONNECT a:443 HTTP/1.1"), "connect");
  EXPECT_EQ(line("GET / HTTP/1"), "version");
  EXPECT_EQ(line("GET / HTTP/1.10"), "version");
  EXPECT_EQ(line("GET / http/1.1"), "version");
  EXPECT_EQ(line("GET / HTTP/x.1"), "version");
  EXPECT_EQ(line("GET / HTTP/2.0"), "unsupported_version");
  EXPECT_EQ(line("GET / HTTP/0.9"), "unsupported_version");
  EXPECT_EQ(line("GET / HTTP/1.2"), "unsupported_version");
}

TEST(RequestLimits, HaveTheirOwnAnswers) {
  const std::string begin = "GET / HTTP/1.1\r\nHost: a\r\n";
  EXPECT_EQ(judge("GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n"),
            "target_too_long");
  EXPECT_EQ(judge("GET /" + std::string(9000, 'a')), "target_too_long") << "before its line ends";
  EXPECT_EQ(judge(begin + "X: " + std::string(70000, 'a')), "head_too_large");
  std::string many = begin;
  for (int i = 0; i < 100; ++i) many += "X: y\r\n";
  EXPECT_EQ(judge(many + "\r\n"), "too_many_fields");
  EXPECT_EQ(status_of(Refusal::target_too_long), 414);
  EXPECT_EQ(status_of(Refusal::head_too_large), 431);
  EXPECT_EQ(status_of(Refusal::too_many_fields), 431);
  EXPECT_EQ(status_of(Refusal::header_timeout), 408);
  EXPECT_EQ(status_of(Refusal::expectation), 417);
  EXPECT_EQ(status_of(Refusal::unsupported_version), 505);
}

TEST(HeadScanner, SeesTheSameByteByByte) {
  const std::string_view bytes = "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nrest";
  HeadScanner scanner;
  for (std::size_t n = 1; n < bytes.size(); ++n) {
    const auto found = scanner.scan(bytes.substr(0, n), {});
    ASSERT_TRUE(found.has_value());
    if (*found) {
      EXPECT_EQ(**found, bytes.size() - 4);
      EXPECT_EQ(n, bytes.size() - 4);
      return;
    }
  }
  FAIL() << "the end was not found";
}

TEST(HeadScanner, RefusesBareLineFeedsAtOnce) {
  EXPECT_EQ(judge("GET / HTTP/1.1\nHost: a\n\n"), "line_end");
  EXPECT_EQ(judge("GET / HTTP/1.1\r\nHost: a\n"), "line_end");
  EXPECT_EQ(judge("\n"), "line_end");
  EXPECT_EQ(judge("\r\n\r\n"), "request_line") << "one empty line before a request, not two";
}

struct Parsed : RequestHead {
  explicit Parsed(std::string_view raw) { refusal = parse_request(raw, {}, *this); }
  std::optional<Refusal> refusal;
};

TEST(Request, TargetFormsComeOutAsOriginForm) {
  const Parsed origin("GET /a/b?c=d HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(origin.target, "/a/b?c=d");
  EXPECT_EQ(origin.path, "/a/b");
  const Parsed absolute("GET http://x:8080/a?b HTTP/1.1\r\nHost: x:8080\r\n\r\n");
  EXPECT_EQ(absolute.target, "/a?b");
  EXPECT_EQ(absolute.host, "x:8080");
  const Parsed bare("GET http://x?q HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(bare.path, "/");
  EXPECT_EQ(bare.target, "?q");
  EXPECT_TRUE(bare.path_is_root);
}

TEST(Request, ConnectionSaysWhatStaysAndWhatGoes) {
  const auto keeps = [](std::string_view version, std::string_view fields) {
    return Parsed("GET / " + std::string(version) + "\r\nHost: a\r\n" + std::string(fields) +
                  "\r\n")
        .keep_alive;
  };
  EXPECT_TRUE(keeps("HTTP/1.1", ""));
  EXPECT_FALSE(keeps("HTTP/1.1", "Connection: close\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.1", "Connection: keep-alive, Close\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.0", ""));
  EXPECT_TRUE(keeps("HTTP/1.0", "Connection: Keep-Alive\r\n"));
}

TEST(Request, FieldsNamedByConnectionAreDroppedButNotTheProxysOwn) {
  const Parsed head(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Secret, Host, Content-Length, X-Forwarded-For\r\n"
      "X-Secret: 1\r\nX-Forwarded-For: 1.2.3.4\r\nContent-Length: 0\r\n\r\n");
  ASSERT_FALSE(head.refusal);
  for (const HeaderField& field : head.fields) {
    EXPECT_EQ(field.dropped, field.name == "X-Secret") << field.name;
  }
}

TEST(Request, ExpectIsOnlyHeededWhereItMeansSomething) {
  const auto expects = [](std::string_view version, std::string_view fields) {
    const Parsed head("POST / " + std::string(version) + "\r\nHost: a\r\n" + std::string(fields) +
                      "\r\n");
    return !head.refusal && head.expects_continue;
  };
  EXPECT_TRUE(expects("HTTP/1.1", "Content-Length: 3\r\nExpect: 100-Continue\r\n"));
  EXPECT_FALSE(expects("HTTP/1.1", "Expect: 100-continue\r\n"));
  EXPECT_FALSE(expects("HTTP/1.0", "Content-Length: 3\r\nExpect: 100-continue\r\n"));
  EXPECT_EQ(with_fields("Expect: something\r\n"), "expectation");
}

TEST(Request, UpgradeNeverOffersAnotherHttp) {
  const auto upgrade = [](std::string_view fields) {
    return std::string(
        Parsed("GET / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n").upgrade);
  };
  EXPECT_EQ(upgrade("Connection: Upgrade\r\nUpgrade: websocket\r\n"), "websocket");
  EXPECT_EQ(upgrade("Upgrade: websocket\r\n"), "") << "Connection does not name it";
  EXPECT_EQ(upgrade("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"), "");
  EXPECT_EQ(upgrade("Connection: Upgrade\r\nUpgrade: websocket, H2C\r\n"), "");
  EXPECT_EQ(upgrade("Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n"), "");
  EXPECT_EQ(upgrade("Connection: Upgrade\r\nUpgrade: HTTP/2.0\r\n"), "");
  EXPECT_EQ(upgrade("Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n"), "");
}

TEST(Guess, OnlyACompleteRequestLineIsHttp) {
  EXPECT_EQ(guess_protocol(""), Guess::more);
  EXPECT_EQ(guess_protocol("GE"), Guess::more);
  EXPECT_EQ(guess_protocol("GET / HTTP/1.1\r\n"), Guess::http1);
  EXPECT_EQ(guess_protocol("GET key\r\n"), Guess::other) << "Redis";
  EXPECT_EQ(guess_protocol("PRI * HTTP/2.0\r\n"), Guess::other);
  EXPECT_EQ(guess_protocol("\x16\x03\x01"), Guess::other) << "TLS";
  EXPECT_EQ(guess_protocol("SSH-2.0-x\r\n"), Guess::other);
}

}  // namespace
}  // namespace heddle::http
