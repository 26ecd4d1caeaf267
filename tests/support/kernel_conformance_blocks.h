#pragma once
#include "tests/support/kernel_conformance.h"

// The part of the suite about blocks of overlay addresses.
namespace heddle::dataplane {

TEST_P(KernelConformance, BlocksOfOtherNodesAreObservedMovedAndRemovedOneByOne) {
  const auto block = [&](std::uint32_t vni, const char* prefix, const char* vtep) {
    return OverlayBlock{Vni{vni}, range(prefix), ip(vtep), mac(0x40)};
  };
  // Of several lengths and networks, one inside another; the first again with another node.
  for (const OverlayBlock& each :
       {block(7, "10.77.0.64/26", "192.0.2.2"), block(7, "10.77.0.128/26", "192.0.2.3"),
        block(7, "10.77.0.3/32", "192.0.2.2"), block(7, "10.77.0.0/16", "192.0.2.4"),
        block(8, "10.77.0.64/26", "192.0.2.3"), block(0xffffff, "128.0.0.0/1", "192.0.2.2"),
        block(7, "10.77.0.64/26", "192.0.2.3")}) {
    ensure(each);
    EXPECT_EQ(observe(), wanted_) << each.prefix.format();
  }
  while (!wanted_.overlay_blocks.empty()) {
    const auto [vni, prefix] = wanted_.overlay_blocks.begin()->first;
    wanted_.overlay_blocks.erase(wanted_.overlay_blocks.begin());
    expect_done(RemoveOverlayBlock{vni, prefix});
    expect_done(RemoveOverlayBlock{vni, prefix});
    EXPECT_EQ(observe(), wanted_) << prefix.format();
  }
  EXPECT_EQ(observe(), HostState());
}

TEST_P(KernelConformance, ABlockNeedsANetworkAnAddressAndANode) {
  const OverlayBlock good{Vni{7}, range("10.77.0.64/26"), ip("192.0.2.2"), mac(0x40)};
  for (const auto& spoil : std::vector<std::function<void(OverlayBlock&)>>{
           [](auto& it) { it.vni = {}; }, [](auto& it) { it.prefix = range("fd00::/64"); },
           [](auto& it) { it.vtep = {}; }, [](auto& it) { it.vtep = ip("fd00::1"); },
           [](auto& it) { it.mac = {}; }}) {
    OverlayBlock bad = good;
    spoil(bad);
    EXPECT_EQ(expect_failure(Ensure<OverlayBlock>{bad}), Errc::invalid);
  }
  EXPECT_EQ(observe(), HostState());
}

}  // namespace heddle::dataplane
