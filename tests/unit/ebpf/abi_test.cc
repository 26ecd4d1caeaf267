// The ABI is shared with pins of older daemons and with dashboards: what was published stays.
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <string_view>

#include "ebpf/abi/drop.h"
#include "ebpf/abi/maps.h"
#include "ebpf/abi/overlay.h"
#include "ebpf/abi/probe.h"
#include "ebpf/abi/socket.h"

namespace heddle {
namespace {

constexpr std::array kReasons = {
#define HEDDLE_NAME(name, text) std::string_view(#name),
    HEDDLE_DROP_REASONS(HEDDLE_NAME)
#undef HEDDLE_NAME
};

// Append here what is appended there.
TEST(DropReasons, KeepTheirNumbers) {
  constexpr std::array<std::string_view, 20> published = {
      "NO_PORT",        "NO_NETWORK",     "MALFORMED",       "NOT_IPV4",    "SPOOFED_MAC",
      "SPOOFED_SOURCE", "UNKNOWN_SOURCE", "MULTICAST",       "NO_ENDPOINT", "INTERNAL_NETWORK",
      "NOT_LOCAL",      "NO_UNDERLAY",    "NO_TUNNEL_KEY",   "ARP_IGNORED", "PROBE_NOT_READY",
      "HELPER_FAILED",  "NO_BACKEND",     "BACKEND_CHANGED", "NO_SIDECAR",  "NO_STORAGE",
  };
  ASSERT_GE(kReasons.size(), published.size());
  for (std::size_t i = 0; i < published.size(); ++i) EXPECT_EQ(kReasons[i], published[i]) << i;
}

TEST(DropReasons, FitTheCounters) {
  EXPECT_LE(kReasons.size(), std::size_t{HEDDLE_DROPS_MAX});
  EXPECT_EQ(HEDDLE_DROPS_MAX, HEDDLE_DROP_MAX);
}

// Offsets on the wire: another version of the asker or the answerer reads them.
TEST(Probe, KeepsItsLayout) {
  EXPECT_EQ(offsetof(heddle_probe_packet, probe), 8u);
  EXPECT_EQ(offsetof(heddle_probe, magic), 0u);
  EXPECT_EQ(offsetof(heddle_probe, version), 4u);
  EXPECT_EQ(offsetof(heddle_probe, kind), 5u);
  EXPECT_EQ(offsetof(heddle_probe, nonce), 8u);
  EXPECT_EQ(offsetof(heddle_probe, epoch), 16u);
}

// Keys are compared byte by byte by the kernel: no padding that a compiler may leave unset.
TEST(Keys, HaveNoHiddenPadding) {
  EXPECT_EQ(offsetof(heddle_member_key, pad) + 4, sizeof(heddle_member_key));
  EXPECT_EQ(offsetof(heddle_inbound_key, pad) + 6, sizeof(heddle_inbound_key));
  EXPECT_EQ(offsetof(heddle_original_key, pad) + 2, sizeof(heddle_original_key));
  EXPECT_EQ(offsetof(heddle_service_key, pad) + 1, sizeof(heddle_service_key));
  EXPECT_EQ(offsetof(heddle_block_key, address) + 4, sizeof(heddle_block_key));
}

}  // namespace
}  // namespace heddle
