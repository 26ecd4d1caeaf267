#include "proxy/http/serialize.h"

#include <gtest/gtest.h>

namespace heddle::http {
namespace {

std::string forwarded(std::string_view bytes, const RequestEdit& edit = {}) {
  RequestHead head;
  EXPECT_FALSE(parse_request(bytes, {}, head));
  std::string out;
  append_request(out, head, edit);
  return out;
}

TEST(AppendRequest, HopByHopFieldsStayHere) {
  EXPECT_EQ(forwarded("GET /a HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, X-Hop\r\n"
                      "Keep-Alive: 5\r\nX-Hop: 1\r\nTE: trailers\r\nProxy-Connection: x\r\n"
                      "Proxy-Authorization: b\r\nHTTP2-Settings: AA\r\nUpgrade: h2c\r\n"
                      "X-Keep: 2\r\n\r\n"),
            "GET /a HTTP/1.1\r\nHost: x\r\nX-Keep: 2\r\n\r\n");
}

TEST(AppendRequest, FramingIsWrittenAnew) {
  EXPECT_EQ(forwarded("POST / HTTP/1.1\r\nContent-Length: 007\r\nHost: x\r\n\r\n"),
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n");
  EXPECT_EQ(forwarded("POST / HTTP/1.1\r\nHost: x\r\ntransfer-encoding: Chunked\r\n\r\n"),
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(forwarded("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"),
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
}

TEST(AppendRequest, AbsoluteFormBecomesOriginForm) {
  EXPECT_EQ(forwarded("GET http://x?q HTTP/1.1\r\nHost: x\r\n\r\n"),
            "GET /?q HTTP/1.1\r\nHost: x\r\n\r\n");
}

TEST(AppendRequest, WhatIsMissingIsAddedOnce) {
  RequestEdit edit;
  edit.host = "10.0.0.1:80";
  edit.request_id = "abc";
  EXPECT_EQ(forwarded("GET / HTTP/1.0\r\n\r\n", edit),
            "GET / HTTP/1.1\r\nHost: 10.0.0.1:80\r\nX-Request-Id: abc\r\n\r\n");
  EXPECT_EQ(forwarded("GET / HTTP/1.1\r\nHost: x\r\nx-request-id: mine\r\n\r\n", edit),
            "GET / HTTP/1.1\r\nHost: x\r\nx-request-id: mine\r\n\r\n");
}

TEST(AppendRequest, ForwardedFieldsOfClientsAreNotBelieved) {
  RequestEdit edit;
  edit.forwarded = Forwarded{"192.0.2.1", "http", 8080};
  EXPECT_EQ(forwarded("GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.1.1.1\r\n"
                      "X-Forwarded-Proto: https\r\nX-Forwarded-Host: y\r\n\r\n",
                      edit),
            "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.1.1.1, 192.0.2.1\r\n"
            "X-Forwarded-Proto: http\r\nX-Forwarded-Port: 8080\r\nX-Forwarded-Host: x\r\n\r\n");
}

TEST(AppendRequest, WebSocketUpgradePasses) {
  EXPECT_EQ(forwarded("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                      "Sec-WebSocket-Key: k\r\n\r\n"),
            "GET / HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Key: k\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\n\r\n");
}

std::string answered(std::string_view bytes, const ResponseEdit& edit, bool to_head = false) {
  ResponseHead head;
  const ResponseContext context{to_head};
  EXPECT_FALSE(parse_response(bytes, {}, context, head));
  std::string out;
  append_response(out, head, edit);
  return out;
}

TEST(AppendResponse, BodyIsFramedForTheClient) {
  ResponseEdit chunked;
  chunked.body = {BodyKind::chunked, 0};
  EXPECT_EQ(answered("HTTP/1.0 200 OK\r\nServer: s\r\n\r\n", chunked),
            "HTTP/1.1 200 OK\r\nServer: s\r\nTransfer-Encoding: chunked\r\n\r\n");
  ResponseEdit close;
  close.body = {BodyKind::until_close, 0};
  close.close = true;
  EXPECT_EQ(answered("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", close),
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
}

TEST(AppendResponse, LengthToHeadIsKept) {
  EXPECT_EQ(answered("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nKeep-Alive: x\r\n\r\n", {}, true),
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(answered("HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", {}),
            "HTTP/1.1 204 No\r\n\r\n");
}

TEST(AppendLocal, HasLengthAndNoBodyToHead) {
  LocalResponse response;
  response.status = 503;
  response.content_type = "text/plain";
  response.body = "no";
  std::string out;
  append_local(out, response);
  EXPECT_EQ(out,
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n"
            "Connection: close\r\n\r\nno");
  response.to_head = true;
  out.clear();
  append_local(out, response);
  EXPECT_TRUE(out.ends_with("\r\n\r\n"));
}

}  // namespace
}  // namespace heddle::http
