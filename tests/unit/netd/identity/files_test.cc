#include "netd/identity/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace heddle::identity {
namespace {

class Files : public testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/heddle-identity-XXXXXX";
    ASSERT_NE(::mkdtemp(path), nullptr);
    dir_ = path;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  std::string dir_;
};

TEST_F(Files, AreReplacedWholeAndReadableByTheirOwnerAlone) {
  const std::string file = dir_ + "/key.pem";
  ASSERT_TRUE(write_private(file, "one"));
  ASSERT_TRUE(write_private(file, std::string("t\0wo", 4)));
  EXPECT_EQ(read_private(file), std::string("t\0wo", 4));
  struct stat status{};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_FALSE(std::filesystem::exists(file + ".new"));
}

TEST_F(Files, ALeftoverOfACrashDoesNotHinder) {
  const std::string file = dir_ + "/key.pem";
  ASSERT_TRUE(write_private(file + ".new", "half"));
  ASSERT_TRUE(write_private(file, "whole"));
  EXPECT_EQ(read_private(file), "whole");
}

TEST_F(Files, ErrorsNameTheFile) {
  const auto missing = read_private(dir_ + "/none");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), Errc::not_found);
  EXPECT_THAT(missing.error().text(), testing::HasSubstr(dir_ + "/none"));
  EXPECT_FALSE(write_private(dir_ + "/no/such", "x"));
  ASSERT_TRUE(write_private(dir_ + "/big", std::string(100, 'x')));
  EXPECT_EQ(read_private(dir_ + "/big", 99).error().code(), Errc::invalid);
}

}  // namespace
}  // namespace heddle::identity
