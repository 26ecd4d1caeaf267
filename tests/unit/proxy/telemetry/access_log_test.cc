#include "proxy/telemetry/access_log.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>

namespace heddle::telemetry {
namespace {

TEST(FormatRecord, IsJsonWhateverTheClientSent) {
  AccessRecord record;
  record.kind = "http";
  record.path = "/\"\\\x01\xff\n";
  record.status = 200;
  record.bytes_out = 12;
  record.duration = std::chrono::microseconds(1500);
  const std::string line = format_record(record);
  EXPECT_TRUE(line.ends_with("}\n"));
  const auto value = boost::json::parse(line).as_object();
  EXPECT_EQ(value.at("status").as_int64(), 200);
  EXPECT_EQ(value.at("bytes_out").as_int64(), 12);
  EXPECT_DOUBLE_EQ(value.at("duration_ms").as_double(), 1.5);
  EXPECT_FALSE(value.contains("service")) << "what is empty is left out";
}

TEST(AccessLog, WritesAllLinesBeforeItEnds) {
  const std::string path = ::testing::TempDir() + "/heddle-access-log-test.json";
  std::filesystem::remove(path);
  {
    auto log = AccessLog::open(path, 1);
    ASSERT_TRUE(log);
    for (int i = 0; i < 100; ++i) (*log)->write({});
    EXPECT_EQ((*log)->dropped(), 0u);
  }
  std::ifstream file(path);
  int lines = 0;
  for (std::string line; std::getline(file, line);) ++lines;
  EXPECT_EQ(lines, 100);
  std::filesystem::remove(path);
}

TEST(AccessLog, SamplesButKeepsFailures) {
  auto log = AccessLog::open("/dev/null", 10);
  ASSERT_TRUE(log);
  int kept = 0;
  for (int i = 0; i < 100; ++i) kept += (*log)->wants(200);
  EXPECT_EQ(kept, 10);
  EXPECT_TRUE((*log)->wants(503));
  auto none = AccessLog::open("none", 1);
  EXPECT_FALSE((*none)->wants(503));
}

TEST(AccessLog, APathThatCannotBeOpenedIsNamed) {
  const auto log = AccessLog::open("/nonexistent/log", 1);
  ASSERT_FALSE(log);
  EXPECT_NE(log.error().text().find("/nonexistent/log"), std::string::npos);
}

}  // namespace
}  // namespace heddle::telemetry
