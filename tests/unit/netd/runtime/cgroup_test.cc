#include "netd/runtime/cgroup.h"

#include <gtest/gtest.h>

#include "netd/runtime/runtime.h"

namespace heddle::runtime {
namespace {

TEST(Cgroup, AbsenceIsSuccessAndOtherDirectoriesAreLeftAlone) {
  EXPECT_TRUE(remove_cgroup("/sys/fs/cgroup/heddle-absent"));
  EXPECT_FALSE(populated("/sys/fs/cgroup/heddle-absent"));
  EXPECT_EQ(remove_cgroup("/tmp").error().code(), Errc::invalid);
}

}  // namespace
}  // namespace heddle::runtime
