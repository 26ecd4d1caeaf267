#include "proxy/route/rewriter.h"

#include <gtest/gtest.h>

#include "proxy/route/redirect.h"

namespace heddle::route {
namespace {

using Edit = snapshot::HeaderEdit;

std::string target_after(const snapshot::Rewrite& rewrite, std::string_view line) {
  const auto rewriter = Rewriter::make(rewrite);
  EXPECT_TRUE(rewriter) << rewriter.error().text();
  http::RequestHead head;
  EXPECT_FALSE(http::parse_request(std::string(line) + " HTTP/1.1\r\nHost: h\r\n\r\n", {}, head));
  return rewriter->target_for(head).value_or("same");
}

TEST(Rewriter, ReplacesAPrefix) {
  const snapshot::Rewrite rewrite{.path_prefix = "/api/", .path_with = "/"};
  EXPECT_EQ(target_after(rewrite, "GET /api/x?q=/api/"), "/x?q=/api/");
  EXPECT_EQ(target_after(rewrite, "GET /api/"), "/");
  EXPECT_EQ(target_after(rewrite, "GET /apix"), "same");
  EXPECT_EQ(target_after({.path_prefix = "/api", .path_with = ""}, "GET /api?x"), "/?x");
  EXPECT_EQ(target_after(rewrite, "OPTIONS *"), "same");
}

TEST(Rewriter, ReplacesByExpression) {
  const snapshot::Rewrite rewrite{.path_regex = "/v([0-9]+)/(.*)", .path_with = "/$2/at/$1"};
  EXPECT_EQ(target_after(rewrite, "GET /v12/a/b?q"), "/a/b/at/12?q");
  EXPECT_EQ(target_after(rewrite, "GET /w12/a"), "same");
  EXPECT_EQ(target_after({.path_regex = "/", .path_with = "/home"}, "GET http://h?x"), "/home?x");
  EXPECT_FALSE(Rewriter::make({.path_regex = "/(a)", .path_with = "/$2"}));
}

TEST(Edits, SetAddAndRemove) {
  http::RequestHead head;
  ASSERT_FALSE(http::parse_request(
      "GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a: 2\r\nX-B: 3\r\n\r\n", {}, head));
  const std::vector<Edit> edits = {{Edit::How::set, "X-a", "new"},
                                   {Edit::How::remove, "x-b", ""},
                                   {Edit::How::add, "X-C", "c"},
                                   {Edit::How::add, "X-C", "d"}};
  Edits owner;
  owner.apply(edits, head.fields);
  std::string out;
  for (const auto& field : head.fields)
    out.append(field.name).append("=").append(field.value) += ' ';
  EXPECT_EQ(out, "Host=h X-a=new X-C=c X-C=d ");
}

TEST(Edits, FramingIsNotToBeEdited) {
  for (const char* name : {"Host", "content-length", "Transfer-Encoding", "Connection", "Upgrade",
                           "Keep-Alive", "TE", "Expect"}) {
    EXPECT_FALSE(is_editable(name)) << name;
  }
  EXPECT_TRUE(is_editable("X-Frame-Options"));
}

std::string location(const snapshot::Redirect& redirect, std::string_view host,
                     std::string_view target, Arrival arrival = {}) {
  http::RequestHead head;
  EXPECT_FALSE(http::parse_request(
      "GET " + std::string(target) + " HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n", {},
      head));
  return location_of(redirect, head, arrival);
}

TEST(Redirect, FillsInTheRequestsParts) {
  snapshot::Redirect to_https;
  to_https.protocol = "https";
  EXPECT_EQ(location(to_https, "a.org", "/x?y=1"), "https://a.org/x?y=1");
  EXPECT_EQ(location(to_https, "a.org:8080", "/"), "https://a.org/");
  EXPECT_EQ(location(to_https, "[::1]:80", "/"), "https://[::1]/");
  to_https.port = "8443";
  EXPECT_EQ(location(to_https, "a.org:8080", "/"), "https://a.org:8443/");
  snapshot::Redirect moved;
  moved.host = "www.#{host}";
  moved.path = "/new/#{path}";
  moved.query = "old=1&#{query}";
  EXPECT_EQ(location(moved, "a.org:8080", "/x/y?z"), "http://www.a.org:8080/new/x/y?old=1&z");
  moved.query = "";
  EXPECT_EQ(location(moved, "a.org", "/x?z"), "http://www.a.org/new/x");
  snapshot::Redirect literal;
  literal.location = "https://b.org/#{path}";
  EXPECT_EQ(location(literal, "a.org", "/x"), "https://b.org/#{path}");
}

}  // namespace
}  // namespace heddle::route
