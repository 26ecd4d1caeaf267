#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "dataplane/bpf/programs.h"
#include "tests/bpf/support/plain_socket.h"
#include "tests/bpf/support/private_kernel.h"

namespace heddle::testing {

// One namespace whose loopback has the backends' addresses 10.40.0.10, .11 and .12; the VIP
// 10.40.15.1 is nowhere. This process is in the cgroup that the hooks are attached to.
inline constexpr std::uint32_t kNetwork = 7;
inline const IpAddr kVip = *IpAddr::parse("10.40.15.1");

class SocketHooks : public ::testing::Test {
 protected:
  static void SetUpTestSuite();
  static void TearDownTestSuite();
  void SetUp() override;
  void TearDown() override;

  void put_member(bool resolver = false);
  void put_service(dataplane::Protocol protocol, std::vector<std::string> backends,
                   std::uint16_t port = 80);
  void put_service(const dataplane::ServiceEntry& service);
  static dataplane::BackendAddress backend(const std::string& text,
                                           dataplane::BackendUse use = dataplane::BackendUse::ready,
                                           std::uint8_t weight = 1);

  static std::unique_ptr<PrivateKernel> kernel_;
  static std::string app_cgroup_;    // where this process is
  static std::string proxy_cgroup_;  // its sibling
  std::string pins_;
  std::unique_ptr<bpf::Programs> programs_;
  std::uint64_t cookie_ = 0;
};

}  // namespace heddle::testing
