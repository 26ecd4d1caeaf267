#include "dataplane/fake/fake_kernel.h"

#include <gtest/gtest.h>

#include "tests/support/kernel_conformance_blocks.h"
#include "tests/support/kernel_conformance_flows.h"
#include "tests/support/kernel_conformance_links.h"

namespace heddle::dataplane {
namespace {

class FakeHarness final : public KernelHarness {
 public:
  Kernel& kernel() override { return kernel_; }
  SandboxPath add_sandbox(const std::string& name) override {
    kernel_.add_sandbox("/tmp/host/" + name);
    return "/tmp/host/" + name;
  }
  void remove_sandbox(const SandboxPath& sandbox) override { kernel_.remove_sandbox(sandbox); }
  void add_device(const std::string& name) override { kernel_.add_device(name); }
  void add_interface(const SandboxPath& sandbox, const std::string& name) override {
    kernel_.add_interface(sandbox, name);
  }
  std::string add_cgroup(const std::string& name) override {
    kernel_.add_cgroup("/cgroup/" + name);
    return "/cgroup/" + name;
  }
  void add_listener(const SandboxPath& sandbox, std::uint16_t port) override {
    kernel_.add_listener(sandbox, port);
  }
  std::uint32_t index_of(const std::string& link) override { return kernel_.index_of(link); }
  void delete_link(const std::string& name) override { kernel_.delete_link(name); }
  void set_mtu(const std::string& link, std::uint32_t mtu) override {
    HostState& state = kernel_.state();
    if (state.bridges.contains(link)) state.bridges[link].mtu = mtu;
    if (state.attachments.contains(link)) state.attachments[link].mtu = mtu;
  }
  void delete_address(const Attachment& attachment) override {
    auto& addresses = kernel_.state().attachments[attachment.host_name].addresses;
    addresses.erase(addresses.begin());
  }
  void unpin(const std::string& pin) override { kernel_.state().missing_pins.insert(pin); }
  void set_sysctl(const Attachment& attachment, const std::string& name,
                  const std::string& value) override {
    kernel_.state().attachments[attachment.host_name].sysctls[name] = value;
  }
  void lift_rates(const Attachment& attachment) override {
    Attachment& there = kernel_.state().attachments[attachment.host_name];
    there.rate_in = there.rate_out = 0;
  }
  void delete_inside(const Attachment& attachment) override {
    kernel_.delete_link(attachment.host_name);
  }
  void alter_masquerades() override { kernel_.state().masquerades.insert({Prefix(), "altered"}); }
  void alter_published() override {
    kernel_.state().published[{Protocol::tcp, IpAddr(), 8080}] = {
        IpAddr::parse("10.77.0.99").value(), 99};
  }
  bool connect(const SandboxPath& sandbox, const SocketAddr& vip) override {
    auto connected = kernel_.connect(sandbox, {vip.address, vip.port, Protocol::udp});
    EXPECT_TRUE(connected) << connected.error().text();
    client_ = connected.value_or(SocketAddr());
    return connected.has_value();
  }
  bool connected() override { return kernel_.is_connected(client_); }

 private:
  FakeKernel kernel_;
  SocketAddr client_;
};

INSTANTIATE_TEST_SUITE_P(Fake, KernelConformance,
                         ::testing::Values([] { return std::make_unique<FakeHarness>(); }));
INSTANTIATE_TEST_SUITE_P(Fake, KernelFlows,
                         ::testing::Values([] { return std::make_unique<FakeHarness>(); }));

TEST(FakeKernel, FailsTheCallThatItWasToldTo) {
  FakeKernel kernel;
  kernel.fail_apply(2, Error(Errc::exhausted, "full"));
  EXPECT_TRUE(kernel.apply(SetSysctl{"net/ipv4/ip_forward", "1"}));
  const auto failed = kernel.apply(SetSysctl{"net/ipv4/ip_forward", "0"});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), Errc::exhausted);
  EXPECT_TRUE(kernel.apply(SetSysctl{"net/ipv4/ip_forward", "1"}));
  EXPECT_EQ(kernel.applied().size(), 2U);
  EXPECT_EQ(kernel.state().sysctls["net/ipv4/ip_forward"], "1");
}

TEST(FakeKernel, WithoutProgramsOnlyTheOverlayIsRefused) {
  FakeKernel kernel;
  kernel.lose_programs(Error(Errc::unsupported, "no BPF"));
  const auto refused = kernel.apply(Ensure<ServiceEntry>{
      {.network = 1, .vip = IpAddr::v4(0x0a000001), .port = 80, .backends = {}}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::unsupported);
  EXPECT_TRUE(kernel.apply(SetRules{}));
}

TEST(FakeKernel, AnObservationCanFail) {
  FakeKernel kernel;
  kernel.fail_observe(Error(Errc::unavailable, "busy"));
  EXPECT_FALSE(kernel.observe({}));
  EXPECT_TRUE(kernel.observe({}));
}

}  // namespace
}  // namespace heddle::dataplane
