#include "proxy/http2/field_block.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heddle::http2 {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> lines(const FieldBlock& block) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < block.size(); ++i) {
    out.push_back(std::string(block[i].name) + "=" + std::string(block[i].value));
  }
  return out;
}

TEST(FieldBlock, ARequestLosesWhatBelongsToItsConnection) {
  http::RequestHead head;
  ASSERT_FALSE(
      http::parse_request("POST /a?b HTTP/1.1\r\nHost: web\r\nX-Y: z\r\nTE: trailers\r\n"
                          "Connection: keep-alive, TE, X-Z\r\nX-Z: 1\r\nKeep-Alive: 5\r\n"
                          "Upgrade: a\r\nTransfer-Encoding: chunked\r\n\r\n",
                          {}, head));
  FieldBlock block;
  http::RequestEdit edit;
  edit.request_id = "1";
  append_request(block, head, edit, "http");
  EXPECT_THAT(lines(block), ElementsAre(":method=POST", ":scheme=http", ":authority=web",
                                        ":path=/a?b", "x-y=z", "te=trailers", "x-request-id=1"));
}

TEST(FieldBlock, ARequestSaysItsLengthAndWhoAsked) {
  http::RequestHead head;
  ASSERT_FALSE(http::parse_request(
      "PUT http://a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n",
      {}, head));
  FieldBlock block;
  http::RequestEdit edit;
  edit.forwarded = http::Forwarded{"2.2.2.2", "https", 443};
  edit.rewritten_host = "b";
  append_request(block, head, edit, "https");
  EXPECT_THAT(lines(block),
              ElementsAre(":method=PUT", ":scheme=https", ":authority=b", ":path=/",
                          "x-forwarded-for=1.1.1.1, 2.2.2.2", "x-forwarded-proto=https",
                          "x-forwarded-port=443", "x-forwarded-host=a", "content-length=3"));
}

TEST(FieldBlock, AResponseKeepsTheLengthThatAGetWouldHaveHad) {
  http::ResponseHead head;
  ASSERT_FALSE(http::parse_response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\n", {},
                                    {.to_head = true}, head));
  FieldBlock block;
  append_response(block, head);
  EXPECT_THAT(lines(block), ElementsAre(":status=200", "x=y", "content-length=5"));
}

TEST(FieldBlock, TrailersAreLowerCase) {
  FieldBlock block;
  append_trailers(block, "Grpc-Status: 0\r\nX: \r\n");
  EXPECT_THAT(lines(block), ElementsAre("grpc-status=0", "x="));
}

TEST(HeadText, ConnectHasItsAuthorityForTarget) {
  HeadText head;
  head.add(":method", "CONNECT");
  head.add(":authority", "a:80");
  EXPECT_EQ(head.request(true), "CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n");
}

TEST(HeadText, FieldsBeyondTheLimitOnlyCount) {
  HeadText head;
  head.add(":method", "GET");
  head.add("x", "y", HeadText::Keep::no);
  EXPECT_EQ(head.count(), 2u);
  EXPECT_EQ(head.list_bytes(), 10u + 32 + 2 + 32);
  EXPECT_TRUE(head.is_valid());
}

}  // namespace
}  // namespace heddle::http2
