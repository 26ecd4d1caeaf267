#pragma once
#include <string>
#include <vector>

#include "netd/ipam/pool.h"

namespace heddle::ipam {

enum class Family { v4, v6 };
Family family_of(const IpAddr& address);

// The addresses of one network that this node may assign: a Pool for each subnet. Of a family, the
// first subnet with room is chosen from.
// Threads: one at a time.
class NetworkPools final {
 public:
  explicit NetworkPools(Pool::Extent extent, std::chrono::seconds quarantine = Pool::kQuarantine)
      : extent_(extent), quarantine_(quarantine) {}

  // The network as it is now. A subnet that grew (it begins where it began) keeps its holders;
  // those of subnets that went are forgotten. Equal ones cost a comparison. `blocks`: see Pool.
  void set(const std::vector<model::Subnet>& subnets, const std::vector<Prefix>& blocks);
  void clear();

  bool has(Family family) const;

  // As Pool's, by the subnet that contains the address.
  Result<> claim(const IpAddr& address, const std::string& holder);
  void rest(const IpAddr& address, Pool::Now until);
  void release(const IpAddr& address, Pool::Now now);
  void give_back(const IpAddr& address);

  // Errors: `invalid` without a subnet of that family; `exhausted` with every subnet's reason.
  Result<IpAddr> allocate(Family family, const std::string& holder, Pool::Now now);
  // Errors: Pool's; `invalid` outside all subnets, which are named.
  Result<> allocate(const IpAddr& address, const std::string& holder, Pool::Now now);

  // In the network's order.
  std::vector<Pool>& pools() { return pools_; }

 private:
  Pool* pool_of(const IpAddr& address);

  Pool::Extent extent_;
  std::chrono::seconds quarantine_;
  std::vector<Pool> pools_;
};

// Addresses taken for something that is not stored yet: given back as if they had never been taken,
// unless kept. Borrows the pools.
class Lease final {
 public:
  explicit Lease(NetworkPools& pools) : pools_(pools) {}
  ~Lease();
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  Result<IpAddr> take(Family family, const std::string& holder, Pool::Now now);
  Result<IpAddr> take(const IpAddr& address, const std::string& holder, Pool::Now now);
  void keep() { taken_.clear(); }

 private:
  NetworkPools& pools_;
  std::vector<IpAddr> taken_;
};

}  // namespace heddle::ipam
