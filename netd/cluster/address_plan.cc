#include "netd/cluster/address_plan.h"

#include <algorithm>

#include "common/base/check.h"

namespace heddle::cluster {
namespace {

constexpr int kLargestBlock = 26;   // 64 addresses
constexpr int kSmallestBlock = 28;  // 16
constexpr std::uint64_t kFewestBlocks = 4;
constexpr std::uint64_t kVipBlock = 16;  // addresses claimed for VIPs at a time

std::uint64_t offset_in(const Prefix& subnet, const IpAddr& address) {
  return address.v4_value() - subnet.address().v4_value();
}

bool is_free(const Allocation& allocation, const Prefix& wanted) {
  return std::ranges::none_of(allocation.blocks, [&](const model::AddressBlock& block) {
    return block.prefix.overlaps(wanted);
  });
}

// Network, gateway, broadcast and reserved addresses belong to nobody.
bool is_reserved(const Allocation& allocation, const IpAddr& address) {
  const Prefix& subnet = allocation.subnet;
  return address == subnet.address() || address == allocation.gateway ||
         address == subnet.at(subnet.size() - 1) || allocation.reserved.contains(address);
}

std::unexpected<Error> no_address(const Allocation& allocation) {
  return fail(Errc::exhausted, "no address is left in " + allocation.subnet.format() +
                                   "; disconnect workloads or make a network with a larger subnet");
}

std::optional<Prefix> find_block(const Allocation& allocation, const BlockLayout& layout,
                                 const model::Id& node) {
  const std::uint64_t size = 1ull << (32 - layout.block_length);
  const std::uint64_t total = (allocation.subnet.size() - layout.singles) / size;
  std::uint64_t taken = 0;
  bool has_one = false;
  for (const model::AddressBlock& block : allocation.blocks) {
    if (block.prefix.length() != layout.block_length || block.node == kVipOwner) continue;
    ++taken;
    has_one = has_one || block.node == node;
  }
  if (has_one && taken * 2 >= total) return std::nullopt;  // the rest is for nodes without any
  for (std::uint64_t at = layout.singles; at < allocation.subnet.size(); at += size) {
    const Prefix wanted = Prefix::containing(allocation.subnet.at(at), layout.block_length);
    if (is_free(allocation, wanted)) return wanted;
  }
  return std::nullopt;
}

std::optional<Prefix> find_single(const Allocation& allocation, const BlockLayout& layout) {
  // Marked first, since testing each address against each block is quadratic.
  std::vector<bool> taken(layout.singles);
  for (const model::AddressBlock& block : allocation.blocks) {
    const std::uint64_t first = offset_in(allocation.subnet, block.prefix.address());
    const std::uint64_t end = std::min(first + block.prefix.size(), layout.singles);
    for (std::uint64_t at = first; at < end; ++at) taken[at] = true;
  }
  for (std::uint64_t at = 1; at < layout.singles; ++at) {
    const IpAddr address = allocation.subnet.at(at);
    if (taken[at] || is_reserved(allocation, address)) continue;
    return Prefix::containing(address, 32);
  }
  return std::nullopt;
}

// Room for VIPs: a run of addresses, or one where runs do not fit.
std::optional<Prefix> find_vip_block(const Allocation& allocation, const BlockLayout& layout) {
  for (std::uint64_t at = 0; at + kVipBlock <= layout.singles; at += kVipBlock) {
    const Prefix wanted = Prefix::containing(allocation.subnet.at(at), 28);
    if (layout.singles >= 4 * kVipBlock && is_free(allocation, wanted)) return wanted;
  }
  return find_single(allocation, layout);
}

std::optional<IpAddr> find_vip(const Allocation& allocation, const Prefix& block,
                               const std::set<IpAddr>& taken, std::uint64_t seed) {
  for (std::uint64_t i = 0; i < block.size(); ++i) {
    const IpAddr address = block.at((seed + i) % block.size());
    if (!taken.contains(address) && !is_reserved(allocation, address)) return address;
  }
  return std::nullopt;
}

}  // namespace

BlockLayout layout_of(const Prefix& subnet) {
  const int length = std::clamp(subnet.length() + 6, kLargestBlock, kSmallestBlock);
  if (subnet.length() > length) return {32, subnet.size()};
  const std::uint64_t blocks = 1ull << (length - subnet.length());
  if (blocks < kFewestBlocks) return {32, subnet.size()};
  return {length, subnet.size() / 4};
}

Result<Prefix> plan_block(const Allocation& allocation, const model::Id& node) {
  const BlockLayout layout = layout_of(allocation.subnet);
  if (layout.block_length < 32) {
    if (const auto block = find_block(allocation, layout, node)) return *block;
  }
  if (const auto single = find_single(allocation, layout)) return *single;
  return no_address(allocation);
}

Result<Vip> plan_vip(const Allocation& allocation, const std::set<IpAddr>& taken,
                     std::uint64_t seed) {
  for (const model::AddressBlock& block : allocation.blocks) {
    if (block.node != kVipOwner) continue;
    if (const auto address = find_vip(allocation, block.prefix, taken, seed)) {
      return Vip{*address, std::nullopt};
    }
  }
  const auto block = find_vip_block(allocation, layout_of(allocation.subnet));
  if (!block) return no_address(allocation);
  const auto address = find_vip(allocation, *block, taken, seed);
  if (!address) return no_address(allocation);
  return Vip{*address, block};
}

Result<Prefix> plan_subnet(const Prefix& pool, int length, const std::vector<Prefix>& taken) {
  CHECK(pool.is_v4() && length >= pool.length() && length <= 32);
  const std::uint64_t step = 1ull << (32 - length);
  for (std::uint64_t at = 0; at < pool.size(); at += step) {
    const Prefix wanted = Prefix::containing(pool.at(at), length);
    const bool overlaps = std::ranges::any_of(
        taken, [&](const Prefix& each) { return each.is_v4() && each.overlaps(wanted); });
    if (!overlaps) return wanted;
  }
  return fail(Errc::exhausted, "no /" + std::to_string(length) + " is left in the swarm's pool " +
                                   pool.format() + "; remove networks, or give --subnet");
}

std::uint64_t stable_hash(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const unsigned char c : text) hash = (hash ^ c) * 0x100000001b3;
  return hash;
}

}  // namespace heddle::cluster
