#include "common/base/clock.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace heddle {
namespace {

using namespace std::chrono_literals;

std::chrono::seconds ahead(const Clock& clock) {
  return std::chrono::round<std::chrono::seconds>(clock.wall() - std::chrono::system_clock::now());
}

TEST(SystemClock, IsAsFarAwayAsItsFileSays) {
  const std::string file = std::filesystem::temp_directory_path().string() + "/heddle-clock-" +
                           std::to_string(::getpid());
  ::setenv("HEDDLE_CLOCK_OFFSET_FILE", file.c_str(), 1);
  const SystemClock clock;
  ::unsetenv("HEDDLE_CLOCK_OFFSET_FILE");
  EXPECT_EQ(ahead(clock), 0s);  // there is none yet
  const auto steady = clock.steady();
  std::ofstream(file) << "3600000\n";
  EXPECT_EQ(ahead(clock), 3600s);
  EXPECT_LT(clock.steady() - steady, 1800s);
  std::ofstream(file) << "-60000\n";
  EXPECT_EQ(ahead(clock), -60s);
  std::ofstream(file) << "soon\n";
  EXPECT_EQ(ahead(clock), 0s);
  std::filesystem::remove(file);
}

TEST(SystemClock, IsTheMachinesOutsideALab) {
  EXPECT_EQ(ahead(SystemClock()), 0s);
}

}  // namespace
}  // namespace heddle
