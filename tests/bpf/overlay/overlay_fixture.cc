#include "tests/bpf/overlay/overlay_fixture.h"

#include <net/if.h>

namespace heddle::testing {

std::unique_ptr<PrivateKernel> OverlayFixture::kernel_;

void OverlayFixture::SetUpTestSuite() {
  auto kernel = PrivateKernel::enter();
  ASSERT_TRUE(kernel.has_value()) << kernel.error().text();
  kernel_ = std::move(*kernel);
  ASSERT_EQ(shell("ip link set lo up && ip link add dev under0 type veth peer name far0 && "
                  "ip link set under0 up && ip link set far0 up && "
                  "ip link add dev vx0 type vxlan external dstport 4789 && ip link set vx0 up"),
            0);
}

void OverlayFixture::TearDownTestSuite() {
  kernel_.reset();
}

void OverlayFixture::SetUp() {
  static int count = 0;
  auto pins = kernel_->make_pin_dir("t" + std::to_string(count++));
  ASSERT_TRUE(pins.has_value()) << pins.error().text();
  auto programs =
      bpf::Programs::load({.pin_dir = *pins, .cgroup = kernel_->cgroup(), .link_group = 0});
  ASSERT_TRUE(programs.has_value()) << programs.error().text();
  programs_ = std::move(*programs);
  auto objects = bpf::Objects::load(*pins);
  ASSERT_TRUE(objects.has_value()) << objects.error().text();
  objects_ = std::move(*objects);
  network_ = {.vni = Vni{kVni},
              .subnet = *Prefix::parse("10.40.0.0/20"),
              .gateway = kGateway,
              .gateway_mac = kGatewayMac,
              .internal = false};
  underlay_ = {.device = IfIndex{::if_nametoindex("under0")},
               .device_mac = kUnderlayMac,
               .vxlan = IfIndex{::if_nametoindex("vx0")},
               .address = kNode,
               .vxlan_port = kVxlanPort,
               .epoch = kEpoch};
  const Vni vni{kVni};
  const auto far = IfIndex{::if_nametoindex("far0")};
  for (const Result<>& done : {
           programs_->put_network(network_),
           programs_->attach_port(
               {.index = IfIndex{1}, .vni = vni, .address = kOwn, .mac = kOwnMac}),
           programs_->attach_underlay(underlay_),
           programs_->put_address({vni, kOwn, kOwnMac, IfIndex{1}, std::nullopt}),
           programs_->put_address({vni, kNeighbour, kNeighbourMac, far, std::nullopt}),
           programs_->put_address({vni, kRemote, kRemoteMac, IfIndex{}, kPeerNode}),
       })
    ASSERT_TRUE(done.has_value()) << done.error().text();
}

void OverlayFixture::TearDown() {
  if (!programs_) return;
  const auto removed = programs_->remove_everything();
  EXPECT_TRUE(removed.has_value()) << removed.error().text();
}

void OverlayFixture::put_block(IpAddr node) {
  const auto put =
      programs_->put_block({Vni{kVni}, *Prefix::parse("10.40.2.0/26"), node, kBlockMac});
  ASSERT_TRUE(put.has_value()) << put.error().text();
}

Ran OverlayFixture::run(int program, const Bytes& frame) {
  auto ran = run_tc(program, frame);
  EXPECT_TRUE(ran.has_value()) << ran.error().text();
  return ran ? *std::move(ran) : Ran{};
}

}  // namespace heddle::testing
