#include "proxy/route/affinity.h"

#include <gtest/gtest.h>

namespace heddle::route {
namespace {

void parse(http::RequestHead& head, std::string_view extra) {
  ASSERT_FALSE(http::parse_request("GET /p?q HTTP/1.1\r\nHost: h\r\n" + std::string(extra) + "\r\n",
                                   {}, head));
}

TEST(Cookies, AreFoundByName) {
  http::RequestHead head;
  parse(head, "Cookie: ab=1; a=2;c=\"3\"; =4; d\r\nX: y\r\nCookie: e=5=6\r\n");
  EXPECT_EQ(cookie_of(head, "a"), "2");
  EXPECT_EQ(cookie_of(head, "c"), "\"3\"");
  EXPECT_EQ(cookie_of(head, "e"), "5=6");
  EXPECT_FALSE(cookie_of(head, "d"));
  EXPECT_FALSE(cookie_of(head, "b"));
}

TEST(Cookies, NameAKey) {
  const std::uint64_t key = key_of("10.0.0.1:80");
  const std::string set = format_cookie({"lb", std::chrono::hours(1)}, key);
  EXPECT_TRUE(set.ends_with("; Path=/; HttpOnly; Max-Age=3600")) << set;
  EXPECT_EQ(parse_cookie(set.substr(3, set.find(';') - 3)), key);
  for (const char* bad : {"", "x", "12g", "-1", "11112222333344445"})
    EXPECT_EQ(parse_cookie(bad), 0U);
}

TEST(Affinity, IsOfTheKeyThatTheGroupHashesBy) {
  http::RequestHead head;
  parse(head, "X-User: u1\r\nCookie: s=c1\r\n");
  snapshot::TargetGroup group;
  EXPECT_FALSE(affinity_of(group, head, "192.0.2.1").hash);
  group.algorithm = snapshot::Algorithm::maglev;
  EXPECT_EQ(affinity_of(group, head, "192.0.2.1").hash, key_of("192.0.2.1"));
  group.hash_by = {snapshot::HashBy::Of::header, "x-user"};
  EXPECT_EQ(affinity_of(group, head, "192.0.2.1").hash, key_of("u1"));
  EXPECT_FALSE(hash_of_client(group, "192.0.2.1"));
  group.hash_by = {snapshot::HashBy::Of::cookie, "s"};
  EXPECT_EQ(affinity_of(group, head, "192.0.2.1").hash, key_of("c1"));
  group.hash_by.name = "absent";
  EXPECT_FALSE(affinity_of(group, head, "192.0.2.1").hash);
  group.hash_by = {snapshot::HashBy::Of::path, ""};
  EXPECT_EQ(affinity_of(group, head, "192.0.2.1").hash, key_of("/p"));
}

}  // namespace
}  // namespace heddle::route
