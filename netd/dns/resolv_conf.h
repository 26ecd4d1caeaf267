#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "common/net/ip.h"
#include "netd/model/workload_dns.h"

namespace heddle::dns {

// Where every workload has its resolver.
inline const IpAddr kWorkloadResolver = IpAddr::v4(0x7f00000b);  // 127.0.0.11

// A resolv.conf(5) as the C library reads it: lines that are not understood are skipped. Zones of
// link-local IPv6 addresses are not supported.
struct ResolvConf {
  std::vector<SocketAddr> servers;  // in order, without repetitions
  std::vector<std::string> search;  // of the last `search` or `domain`
  std::vector<std::string> options;
};
ResolvConf parse_resolv_conf(std::string_view text);

// What a workload gets that Heddle starts: our resolver; the search domains of its own or the
// host's, after our domain; the options of its own or the host's. Bare names are asked for as they
// are first (ndots:0) unless an option says otherwise.
std::string resolv_conf_for(const model::WorkloadDns& own, const ResolvConf& host);

}  // namespace heddle::dns
