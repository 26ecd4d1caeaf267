#include "topologies/traffic/dns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heddle::traffic {
namespace {

using ::testing::ElementsAre;
using ::testing::Optional;
using namespace std::string_literals;

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

TEST(Dns, AddressesOfOneTypeAreRead) {
  // A CNAME, then two A records whose names are compressed, then an AAAA one.
  const std::string reply = "\x12\x34\x81\x80\0\x01\0\x04\0\0\0\0"s + "\x03web\0\0\x01\0\x01"s +
                            "\xc0\x0c\0\x05\0\x01\0\0\0\x05\0\x03\x01v\0"s +
                            "\xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x04\x0a\x20\0\x01"s +
                            "\x01v\0\0\x01\0\x01\0\0\0\x05\0\x04\x0a\x20\0\x02"s +
                            "\xc0\x0c\0\x1c\0\x01\0\0\0\x05\0\x10"s + "\xfd"s +
                            std::string(14, '\0') + "\x01"s;
  EXPECT_THAT(read_dns_addresses(reply, kDnsTypeA),
              Optional(ElementsAre(*IpAddr::parse("10.32.0.1"), *IpAddr::parse("10.32.0.2"))));
  EXPECT_THAT(read_dns_addresses(reply, kDnsTypeAaaa),
              Optional(ElementsAre(*IpAddr::parse("fd00::1"))));
  for (std::size_t size = 0; size < reply.size(); ++size)
    EXPECT_FALSE(read_dns_addresses(reply.substr(0, size), kDnsTypeA)) << size;
}

}  // namespace
}  // namespace heddle::traffic
