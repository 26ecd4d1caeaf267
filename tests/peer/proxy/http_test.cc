#include "tests/peer/proxy/fixture.h"

namespace heddle::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class ProxyHttp : public ProxyTest {};

TEST_F(ProxyHttp, SpreadsRequestsAndReusesConnections) {
  std::atomic<int> counts[3] = {};
  Backend a(answering("a", &counts[0]));
  Backend b(answering("b", &counts[1]));
  Backend c(answering("c", &counts[2]));
  start({a.address(), b.address(), c.address()});
  const UniqueFd client = connect_to(proxy_->port("web"));
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(send_all(client.get(), "GET / HTTP/1.1\r\nHost: web\r\n\r\n"));
    ASSERT_THAT(receive(client.get(), "\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
  }
  for (const auto& count : counts) EXPECT_EQ(count, 10);
  EXPECT_EQ(a.accepted() + b.accepted() + c.accepted(), 3u);
  EXPECT_EQ(proxy_->metric("heddle_proxy_requests_total{code=\"200\",listener=\"lb\""), 30);
}

}  // namespace
}  // namespace heddle::testing
