#include "netd/ipam/network_pools.h"

#include <algorithm>

namespace heddle::ipam {

Family family_of(const IpAddr& address) {
  return address.is_v4() ? Family::v4 : Family::v6;
}

void NetworkPools::set(const std::vector<model::Subnet>& subnets,
                       const std::vector<Prefix>& blocks) {
  const bool same = std::ranges::equal(pools_, subnets, [](const Pool& pool, const auto& subnet) {
    return pool.subnet() == subnet;
  });
  if (!same) {
    std::vector<Pool> next;
    for (const model::Subnet& subnet : subnets) {
      const auto former = std::ranges::find_if(pools_, [&](const Pool& pool) {
        return pool.subnet().prefix.address() == subnet.prefix.address();
      });
      next.push_back(former == pools_.end() ? Pool(subnet, extent_, quarantine_)
                                            : std::move(*former));
      next.back().set_subnet(subnet);
    }
    pools_ = std::move(next);
  }
  for (Pool& pool : pools_) pool.set_blocks(blocks);
}

void NetworkPools::clear() {
  for (Pool& pool : pools_) pool.clear();
}

bool NetworkPools::has(Family family) const {
  return std::ranges::any_of(pools_, [&](const Pool& pool) {
    return family_of(pool.subnet().prefix.address()) == family;
  });
}

Pool* NetworkPools::pool_of(const IpAddr& address) {
  const auto found = std::ranges::find_if(
      pools_, [&](const Pool& pool) { return pool.subnet().prefix.contains(address); });
  return found == pools_.end() ? nullptr : &*found;
}

Result<> NetworkPools::claim(const IpAddr& address, const std::string& holder) {
  if (Pool* pool = pool_of(address)) return pool->claim(address, holder);
  return fail(Errc::invalid, "address " + address.format() + " is in no subnet of the network");
}

void NetworkPools::rest(const IpAddr& address, Pool::Now until) {
  if (Pool* pool = pool_of(address)) pool->rest(address, until);
}

void NetworkPools::release(const IpAddr& address, Pool::Now now) {
  if (Pool* pool = pool_of(address)) pool->release(address, now);
}

void NetworkPools::give_back(const IpAddr& address) {
  if (Pool* pool = pool_of(address)) pool->give_back(address);
}

Result<IpAddr> NetworkPools::allocate(Family family, const std::string& holder, Pool::Now now) {
  std::string reasons;
  for (Pool& pool : pools_) {
    if (family_of(pool.subnet().prefix.address()) != family) continue;
    auto address = pool.allocate(holder, now);
    if (address) return address;
    reasons += (reasons.empty() ? "" : "; ") + address.error().text();
  }
  if (!reasons.empty()) return fail(Errc::exhausted, reasons);
  return fail(Errc::invalid, family == Family::v4 ? "the network has no IPv4 subnet"
                                                  : "the network has no IPv6 subnet");
}

Result<> NetworkPools::allocate(const IpAddr& address, const std::string& holder, Pool::Now now) {
  if (Pool* pool = pool_of(address)) return pool->allocate(address, holder, now);
  std::string subnets;
  for (const Pool& pool : pools_) {
    if (pool.subnet().prefix.is_v4() != address.is_v4()) continue;
    subnets += (subnets.empty() ? "" : ", ") + pool.subnet().prefix.format();
  }
  if (subnets.empty()) {
    return fail(Errc::invalid, "address " + address.format() +
                                   " cannot be had: the network has no " +
                                   (address.is_v4() ? "IPv4 subnet" : "IPv6 subnet"));
  }
  const bool several = subnets.contains(',');
  return fail(Errc::invalid, "address " + address.format() + " is outside the subnet" +
                                 (several ? "s " : " ") + subnets);
}

Lease::~Lease() {
  for (const IpAddr& address : taken_) pools_.give_back(address);
}

Result<IpAddr> Lease::take(Family family, const std::string& holder, Pool::Now now) {
  TRY(const IpAddr address, pools_.allocate(family, holder, now));
  taken_.push_back(address);
  return address;
}

Result<IpAddr> Lease::take(const IpAddr& address, const std::string& holder, Pool::Now now) {
  TRY_DO(pools_.allocate(address, holder, now));
  taken_.push_back(address);
  return address;
}

}  // namespace heddle::ipam
