#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "common/base/result.h"
#include "netd/model/objects.h"

// How a swarm network's subnet is divided. Pure.
//
// The first quarter of a subnet is kept for single addresses: VIPs, and nodes that find no block
// left. The rest is cut into blocks that nodes assign from. A /20 so has 48 blocks of 64 addresses
// and 1024 single ones, and serves a thousand nodes. Subnets of fewer than 4 blocks know single
// addresses only.
//
// Single addresses given out here are never the network's, the gateway's or the broadcast address;
// inside a block, the node's own IPAM leaves those out.
namespace heddle::cluster {

// The owner of blocks that VIPs are taken from; no node has this id.
inline constexpr std::string_view kVipOwner = "vip";

struct BlockLayout {
  int block_length = 32;      // prefix length of a block; 32: single addresses only
  std::uint64_t singles = 0;  // addresses from the start that are given singly
};
BlockLayout layout_of(const Prefix& subnet);

// What is taken in one network.
struct Allocation {
  Prefix subnet;
  IpAddr gateway;
  std::vector<model::AddressBlock> blocks;  // of all owners
  std::set<IpAddr> reserved = {};           // by the network's maker
};

// A block for a node: a whole one, or a single address when none is left, when the subnet is small,
// or when the node has one already and half of them are taken.
// Errors: `exhausted`.
Result<Prefix> plan_block(const Allocation& allocation, const model::Id& node);

// A VIP, and the block that has to be claimed for it when those of kVipOwner are full. The search
// starts at a place that `seed` picks, so that a service made again tends to get its old VIP, and
// clients that cached it go on.
struct Vip {
  IpAddr address;
  std::optional<Prefix> new_block;
};
Result<Vip> plan_vip(const Allocation& allocation, const std::set<IpAddr>& taken,
                     std::uint64_t seed);

// The first subnet of `length` in `pool` that overlaps none of `taken`. Errors: `exhausted`.
Result<Prefix> plan_subnet(const Prefix& pool, int length, const std::vector<Prefix>& taken);

// FNV-1a: the same on every node and version.
std::uint64_t stable_hash(std::string_view text);

}  // namespace heddle::cluster
