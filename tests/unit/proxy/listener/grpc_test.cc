#include "proxy/listener/grpc.h"

#include <gtest/gtest.h>

namespace heddle::listener {
namespace {

using std::chrono::milliseconds;

std::optional<milliseconds> timeout_of(const std::string& text) {
  http::RequestHead head;
  const auto refusal = http::parse_request(
      "POST / HTTP/1.1\r\nHost: a\r\ngrpc-timeout: " + text + "\r\n\r\n", {}, head);
  return refusal ? std::nullopt : grpc_timeout(head);
}

bool grpc_type(const std::string& text) {
  http::RequestHead head;
  const auto refusal = http::parse_request(
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: " + text + "\r\n\r\n", {}, head);
  return !refusal && is_grpc(head);
}

TEST(Grpc, TimeoutsHaveUnits) {
  EXPECT_EQ(timeout_of("2H"), std::chrono::hours(2));
  EXPECT_EQ(timeout_of("3M"), std::chrono::minutes(3));
  EXPECT_EQ(timeout_of("4S"), std::chrono::seconds(4));
  EXPECT_EQ(timeout_of("50m"), milliseconds(50));
  EXPECT_EQ(timeout_of("1500u"), milliseconds(2));
  EXPECT_EQ(timeout_of("1n"), milliseconds(1));
  EXPECT_EQ(timeout_of("99999999H"), std::chrono::hours(24 * 365));
  for (const char* bad : {"", "S", "5", "-1S", "1x", "123456789S", "1 S"}) {
    EXPECT_EQ(timeout_of(bad), std::nullopt) << bad;
  }
}

TEST(Grpc, IsKnownByItsContentType) {
  EXPECT_TRUE(grpc_type("application/grpc"));
  EXPECT_TRUE(grpc_type("application/grpc+proto"));
  EXPECT_TRUE(grpc_type("application/grpc; a=b"));
  EXPECT_FALSE(grpc_type("application/grpc-web"));
  EXPECT_FALSE(grpc_type("application/json"));
}

}  // namespace
}  // namespace heddle::listener
