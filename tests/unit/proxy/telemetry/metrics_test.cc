#include "proxy/telemetry/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heddle::telemetry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Metrics, LabelsLiveAsLongAsTheirHandles) {
  Metrics metrics("1.0");
  auto target = metrics.target("web", "10.0.0.1:80");
  target->connected();
  EXPECT_EQ(metrics.target("web", "10.0.0.1:80"), target) << "the same labels, the same handle";
  EXPECT_THAT(metrics.format(),
              HasSubstr("heddle_proxy_upstream_connections_total{service=\"web\",target="
                        "\"10.0.0.1:80\"} 1"));
  target.reset();
  EXPECT_THAT(metrics.format(), Not(HasSubstr("10.0.0.1")));
}

TEST(Metrics, CountRequestsByStatus) {
  Metrics metrics("1.0");
  const auto requests = metrics.requests("lb", "web");
  requests->finished(200, std::chrono::milliseconds(3));
  requests->finished(503, std::chrono::milliseconds(3));
  requests->finished(7, std::chrono::milliseconds(3));
  const std::string text = metrics.format();
  EXPECT_THAT(text, HasSubstr("heddle_proxy_requests_total{code=\"200\",listener=\"lb\","
                              "service=\"web\"} 1"));
  EXPECT_THAT(text, HasSubstr("code=\"503\""));
  EXPECT_THAT(text, HasSubstr("heddle_proxy_request_duration_seconds_count{listener=\"lb\","
                              "service=\"web\"} 3"));
}

}  // namespace
}  // namespace heddle::telemetry
