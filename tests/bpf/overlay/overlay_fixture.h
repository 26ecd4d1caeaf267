#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "dataplane/bpf/objects.h"
#include "dataplane/bpf/programs.h"
#include "tests/bpf/support/frame.h"
#include "tests/bpf/support/private_kernel.h"
#include "tests/bpf/support/test_run.h"

namespace heddle::testing {

// One node with the network 10.40.0.0/20 of VNI 70: our endpoint on loopback (where test runs
// happen), a neighbour on this node, an endpoint of another one.
inline const Mac kOwnMac{{2, 0, 0, 0, 0, 1}};
inline const Mac kNeighbourMac{{2, 0, 0, 0, 0, 2}};
inline const Mac kRemoteMac{{2, 0, 0, 0, 0, 3}};
inline const Mac kGatewayMac{{2, 0, 0, 0, 0, 0xfe}};
inline const Mac kStaleMac{{2, 0, 0, 0, 0, 0x99}};
inline const Mac kBroadcast{{255, 255, 255, 255, 255, 255}};
inline const Mac kUnderlayMac{{2, 0, 0, 1, 0, 1}};
inline const Mac kPeerMac{{2, 0, 0, 1, 0, 2}};
inline const IpAddr kOwn = *IpAddr::parse("10.40.0.5");
inline const IpAddr kNeighbour = *IpAddr::parse("10.40.0.6");
inline const IpAddr kRemote = *IpAddr::parse("10.40.1.7");
// Of the peer's block, without an entry yet; and the MAC that goes with it.
inline const IpAddr kFresh = *IpAddr::parse("10.40.2.9");
inline const Mac kBlockMac{{0x02, 0x48, 0xaa, 0xbb, 0xcc, 0xdd}};
inline const Mac kFreshMac{{0x02, 0x48, 0xaa ^ 10, 0xbb ^ 40, 0xcc ^ 2, 0xdd ^ 9}};
inline const IpAddr kNobody = *IpAddr::parse("10.40.15.200");
inline const IpAddr kGateway = *IpAddr::parse("10.40.0.1");
inline const IpAddr kWorld = *IpAddr::parse("203.0.113.9");
inline const IpAddr kNode = *IpAddr::parse("192.168.50.1");
inline const IpAddr kPeerNode = *IpAddr::parse("192.168.50.2");
inline constexpr std::uint32_t kVni = 70;
inline constexpr std::uint16_t kVxlanPort = 4789;
inline constexpr std::uint64_t kEpoch = 0x1122334455667788;

class OverlayFixture : public ::testing::Test {
 protected:
  static void SetUpTestSuite();
  static void TearDownTestSuite();
  void SetUp() override;
  void TearDown() override;

  Ran run(int program, const Bytes& frame);
  // Gives 10.40.2.0/26 to the peer's node, or to another.
  void put_block(IpAddr node = kPeerNode);

  static std::unique_ptr<PrivateKernel> kernel_;
  std::unique_ptr<bpf::Programs> programs_;
  std::unique_ptr<bpf::Objects> objects_;  // a second load that shares the maps: for its programs
  dataplane::OverlayNetwork network_;
  bpf::Programs::UnderlayHook underlay_;
};

}  // namespace heddle::testing
