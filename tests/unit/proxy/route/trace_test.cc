#include "proxy/route/trace.h"

#include <gtest/gtest.h>

namespace heddle::route {
namespace {

std::string trace_of(std::string_view value) {
  http::RequestHead head;
  EXPECT_FALSE(http::parse_request(
      "GET / HTTP/1.1\r\nHost: h\r\nTraceparent: " + std::string(value) + "\r\n\r\n", {}, head));
  return std::string(trace_id_of(head));
}

TEST(Trace, IsReadFromWellFormedParents) {
  const std::string trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  const std::string good = "00-" + trace + "-00f067aa0ba902b7-01";
  EXPECT_EQ(trace_of(good), trace);
  EXPECT_EQ(trace_of("01" + good.substr(2) + "-more"), trace) << "a later version";
  const std::string bad[] = {"",
                             good + "-more",
                             "ff" + good.substr(2),
                             "00-" + std::string(32, '0') + "-00f067aa0ba902b7-01",
                             "00-" + trace + "-" + std::string(16, '0') + "-01",
                             "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                             "00-" + trace + "-00f067aa0ba902b7-0",
                             "00_" + good.substr(3)};
  for (const std::string& one : bad) EXPECT_EQ(trace_of(one), "") << one;
}

}  // namespace
}  // namespace heddle::route
