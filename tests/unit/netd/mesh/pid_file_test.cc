#include "netd/mesh/pid_file.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace heddle::mesh {
namespace {

TEST(PidFile, GoesThereAndBack) {
  const PidFile file{{4711, "123456"}, "outbound:1,inbound:2,metrics:3"};
  EXPECT_EQ(parse_pid_file(format_pid_file(file)), file);
}

TEST(PidFile, HalfFilesAndOthersAreRefused) {
  for (const char* bad : {"", "12", "12 34\n", "12 34 a:1", "x 34 a:1\n", "-1 34 a:1\n", "0 1 a\n"})
    EXPECT_FALSE(parse_pid_file(bad)) << bad;
}

TEST(PidFile, DirectoryIsReadWholeLeavingOutWhatIsBroken) {
  char path[] = "/tmp/heddle-pids-XXXXXX";
  const std::string dir = ::mkdtemp(path);
  const PidFile file{{4711, "9"}, "metrics:3"};
  ASSERT_TRUE(write_pid_file(dir, "aa", file));
  ASSERT_TRUE(write_pid_file(dir, "bb", file));
  std::ofstream(dir + "/cc.pid") << "torn";
  std::ofstream(dir + "/dd.metrics.sock") << "";
  remove_pid_file(dir, "bb");
  const auto files = read_pid_files(dir);
  EXPECT_EQ(files, (std::map<model::Id, PidFile>{{"aa", file}}));
  EXPECT_TRUE(read_pid_files(dir + "/absent").empty());
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace heddle::mesh
