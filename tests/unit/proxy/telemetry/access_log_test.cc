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
    auto log = AccessLog::open({.where = path});
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
  auto log = AccessLog::open({.where = "/dev/null", .sample = 10});
  ASSERT_TRUE(log);
  int kept = 0;
  for (int i = 0; i < 100; ++i) kept += (*log)->wants(200);
  EXPECT_EQ(kept, 10);
  EXPECT_TRUE((*log)->wants(503));
  auto none = AccessLog::open({});
  EXPECT_FALSE((*none)->wants(503));
}

TEST(AccessLog, APathThatCannotBeOpenedIsNamed) {
  const auto log = AccessLog::open({.where = "/nonexistent/log"});
  ASSERT_FALSE(log);
  EXPECT_NE(log.error().text().find("/nonexistent/log"), std::string::npos);
}

TEST(AccessFormat, FillsATextIn) {
  const auto format =
      AccessFormat::parse("%{client} \"%{method} %{path}\" %{status} 100%% %{reason}");
  ASSERT_TRUE(format) << format.error().text();
  AccessRecord record;
  record.client = "192.0.2.1";
  record.method = "GET";
  record.path = "/a\"b\\\n\xff";
  record.status = 204;
  EXPECT_EQ(format->format(record), "192.0.2.1 \"GET /a\\x22b\\x5c\\x0a\\xff\" 204 100% -\n");
}

TEST(AccessFormat, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(AccessFormat::parse("%{staus}").error().text(),
            "%{staus} is no field of the access log; did you mean %{status}?");
  for (const char* bad : {"%", "%x", "%{status", "a\nb"})
    EXPECT_FALSE(AccessFormat::parse(bad)) << bad;
}

// Goal: what a rotation moved away gets nothing more, and a path that cannot be opened changes
// nothing.
TEST(AccessLog, IsOpenedAnew) {
  const std::string path = ::testing::TempDir() + "/heddle-access-log-anew.json";
  std::filesystem::remove(path);
  std::filesystem::remove(path + ".1");
  const auto lines_of = [](const std::string& file) {
    std::ifstream in(file);
    int lines = 0;
    for (std::string line; std::getline(in, line);) ++lines;
    return lines;
  };
  {
    auto log = AccessLog::open({.where = path});
    ASSERT_TRUE(log);
    (*log)->write({});
    while (lines_of(path) < 1) std::this_thread::yield();
    std::filesystem::rename(path, path + ".1");
    EXPECT_FALSE((*log)->configure({.where = "/nonexistent/log"}));
    ASSERT_TRUE((*log)->configure({.where = path, .format = "%{status}"}));
    (*log)->write({});
    (*log)->write({});
  }
  EXPECT_EQ(lines_of(path + ".1"), 1);
  EXPECT_EQ(lines_of(path), 2);
  std::filesystem::remove(path);
  std::filesystem::remove(path + ".1");
}

}  // namespace
}  // namespace heddle::telemetry
