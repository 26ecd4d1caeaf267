#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace heddle::nft {

// Chains of others that drop by default what this host forwards, so that networks and published
// ports work only where their rules accept them: "ip filter FORWARD" (Docker, ufw), as
// `TABLE'S-FAMILY TABLE CHAIN`, sorted. For a hint; those of iptables-legacy are not seen.
// Threads: any; the namespace of the calling thread. Blocks for some ms.
// Errors:  `denied` without CAP_NET_ADMIN; `unavailable` when nftables does not answer.
Result<std::vector<std::string>> forward_drops(std::string_view our_table);

// Pure: from nft's JSON listing of chains. Errors: `internal` when it is no such listing.
Result<std::vector<std::string>> parse_forward_drops(std::string_view json,
                                                     std::string_view our_table);

}  // namespace heddle::nft
