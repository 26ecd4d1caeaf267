#include "proxy/listener/handed_sockets.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/unique_fd.h"

namespace heddle::listener {
namespace {

std::string error_of(const std::string& text) {
  const auto parsed = parse_handed_sockets(text);
  return parsed ? "" : parsed.error().text();
}

TEST(HandedSockets, NamesMayHoldAddresses) {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
  ASSERT_EQ(::listen(fd.get(), 1), 0);
  const auto parsed = parse_handed_sockets("10.0.0.1:80=" + std::to_string(fd.get()));
  ASSERT_TRUE(parsed) << parsed.error().text();
  EXPECT_EQ(parsed->at("10.0.0.1:80"), fd.get());
  EXPECT_TRUE(parse_handed_sockets("")->empty());
}

TEST(HandedSockets, MistakesAreNamed) {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
  const std::string number = std::to_string(fd.get());
  EXPECT_EQ(error_of("web"), "HEDDLE_PROXY_SOCKETS: 'web' is not name=descriptor");
  EXPECT_EQ(error_of("=3"), "HEDDLE_PROXY_SOCKETS: '=3' is not name=descriptor");
  EXPECT_EQ(error_of("web=x"), "HEDDLE_PROXY_SOCKETS: 'web=x' is not name=descriptor");
  EXPECT_EQ(error_of("web=9999"), "HEDDLE_PROXY_SOCKETS: 'web=9999' is not an open socket");
  EXPECT_EQ(error_of("web=" + number),
            "HEDDLE_PROXY_SOCKETS: 'web=" + number + "' does not listen; pass it after listen()");
  ASSERT_EQ(::listen(fd.get(), 1), 0);
  EXPECT_EQ(error_of("a=" + number + ",a=" + number),
            "HEDDLE_PROXY_SOCKETS: 'a=" + number + "' names a socket twice");
}

}  // namespace
}  // namespace heddle::listener
