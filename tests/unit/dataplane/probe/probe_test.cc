#include "dataplane/probe/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dataplane/probe/trials.h"

namespace heddle::probe {
namespace {

TEST(Release, IsComparedByNumbers) {
  EXPECT_TRUE(trials::at_least("6.1.0-26-amd64", 6, 1));
  EXPECT_TRUE(trials::at_least("6.18.44", 6, 1));
  EXPECT_TRUE(trials::at_least("10.0", 6, 1));
  EXPECT_FALSE(trials::at_least("5.15.0-91-generic", 6, 1));
  EXPECT_FALSE(trials::at_least("6.0.19", 6, 1));
  for (const char* odd : {"", "6", "6.", "x.y", "linux-6.1"}) {
    EXPECT_FALSE(trials::at_least(odd, 6, 1)) << odd;
  }
}

TEST(Cgroup2, IsFoundAmongOtherMounts) {
  EXPECT_EQ(trials::cgroup2_in("proc /proc proc rw 0 0\n"
                               "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n"),
            "/sys/fs/cgroup");
  EXPECT_EQ(trials::cgroup2_in("cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\n"
                               "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"),
            "/sys/fs/cgroup/unified");
  EXPECT_EQ(trials::cgroup2_in(""), "");
  EXPECT_EQ(trials::cgroup2_in("cgroup2\n\n /x\n"), "");
}

Probe probe_named(const char* name, Need need, bool present) {
  return {.name = name, .need = need, .present = present, .detail = "why", .lost = "what"};
}

TEST(Usable, OnlyWhatEverythingNeedsCountsAndAllOfItIsNamed) {
  Probes probes;
  probes.all = {probe_named("veth", Need::everything, true),
                probe_named("vxlan", Need::feature, false)};
  EXPECT_TRUE(probes.usable());
  EXPECT_TRUE(probes.has("veth"));
  EXPECT_FALSE(probes.has("vxlan"));
  EXPECT_FALSE(probes.has("unheard of"));
  probes.all[0].present = false;
  probes.all.push_back(probe_named("netns", Need::everything, false));
  const auto unusable = probes.usable();
  ASSERT_FALSE(unusable);
  EXPECT_EQ(unusable.error().code(), Errc::unsupported);
  EXPECT_THAT(unusable.error().text(),
              ::testing::AllOf(::testing::HasSubstr("veth: why"), ::testing::HasSubstr("netns")));
}

TEST(Usable, MissingPrivilegesAreDenied) {
  Probes probes;
  probes.all = {probe_named("net_admin", Need::everything, false)};
  EXPECT_EQ(probes.usable().error().code(), Errc::denied);
}

}  // namespace
}  // namespace heddle::probe
