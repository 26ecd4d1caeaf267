#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "netd/model/objects.h"

// The subnets of a network as people give them: ranges, and beside them addresses and parts that
// belong to the one range which contains them. Pure. Threads: any.
namespace heddle::ipam {

struct Layout {
  std::vector<Prefix> subnets;
  std::vector<IpAddr> gateways;
  std::vector<Prefix> ranges;
  std::map<std::string, IpAddr> reserved;
};

// Subnets with what belongs to each, IPv4 first. Gateways that nobody gave are unspecified.
// Errors: `invalid` naming the value: subnets that overlap or are given twice, a gateway, range or
// reserved address that is in none of them, two gateways or ranges for one of them, addresses that
// no endpoint could have.
Result<std::vector<model::Subnet>> lay_out(const Layout& layout);

// What an update makes of a network's subnets: a range that contains a present one and starts with
// its first address replaces it, others are new; ranges and reserved addresses may belong to
// present ones, whose gateway stays. `used`: addresses of endpoints and services. Errors: as
// lay_out(); `conflict` for a gateway of a present subnet; `in_use` for a reserved address that
// somebody has.
Result<std::vector<model::Subnet>> lay_out_update(const std::vector<model::Subnet>& present,
                                                  const Layout& added,
                                                  const std::map<IpAddr, std::string>& used);

// The gateway that a subnet has when nobody names one: its first assignable address that is not
// reserved.
IpAddr default_gateway(const model::Subnet& subnet);

// Whether an endpoint could have the address: in the subnet, not its first, nor the last of an IPv4
// one.
bool is_host_address(const Prefix& subnet, const IpAddr& address);

// How many more addresses could be given to endpoints that name none, at most 2^63. `extent`: the
// parts that may be given from, within the subnet and apart from each other.
std::uint64_t count_free(const model::Subnet& subnet, const std::vector<Prefix>& extent,
                         const std::set<IpAddr>& used);

}  // namespace heddle::ipam
