#include "dataplane/probe/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "tests/support/host/private_host.h"

namespace heddle::probe {
namespace {

TEST(Probe, TellsWhatThisKernelHasAndLeavesNothing) {
  const host::PrivateHost host;
  const std::string before = host::run("ip link; nft list ruleset; cat /proc/self/mounts | wc -l");
  const auto probes = probe();
  ASSERT_TRUE(probes) << probes.error().text();
  for (const Probe& one : probes->all) {
    std::printf("%-14s %-4s %s\n", one.name.c_str(), one.present ? "yes" : "NO",
                one.detail.c_str());
    EXPECT_NE(one.detail, "");
    EXPECT_NE(one.lost, "");
    EXPECT_TRUE(one.present || one.need != Need::everything) << one.name << ": " << one.detail;
  }
  EXPECT_TRUE(probes->usable());
  EXPECT_NE(probes->kernel, "");
  EXPECT_EQ(host::run("ip link; nft list ruleset; cat /proc/self/mounts | wc -l"), before);
}

TEST(Probe, WithoutPrivilegesSaysSoAndStillAnswers) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) std::_Exit(10);
    const auto probes = probe();
    const bool right = probes && !probes->usable() &&
                       probes->usable().error().code() == Errc::denied && !probes->has("veth") &&
                       !probes->has("vxlan");
    std::_Exit(right ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace heddle::probe
