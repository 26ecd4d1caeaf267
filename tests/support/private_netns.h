#pragma once
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>

#include "common/base/unique_fd.h"

namespace heddle {

// Puts the whole test program into a network namespace of its own with loopback up: fixed ports are
// then nobody else's. Threads made later are in it too. Register with AddGlobalTestEnvironment.
class PrivateNetns : public ::testing::Environment {
 public:
  void SetUp() override {
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0) << "CAP_SYS_ADMIN is missing: " << std::strerror(errno);
    const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    ASSERT_EQ(::ioctl(fd.get(), SIOCGIFFLAGS, &request), 0);
    request.ifr_flags |= IFF_UP;
    ASSERT_EQ(::ioctl(fd.get(), SIOCSIFFLAGS, &request), 0);
  }
};

}  // namespace heddle
