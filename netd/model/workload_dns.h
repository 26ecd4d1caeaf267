#pragma once
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/net/ip.h"
#include "netd/model/objects.h"

namespace heddle::model {

// What a workload's resolver and resolv.conf have of their own; where empty, the host's holds. It
// is kept in the workload's labels, as words with blanks between, so that whatever starts workloads
// can say it.
struct WorkloadDns {
  std::vector<IpAddr> servers;       // asked for names that are not ours
  std::vector<std::string> search;   // `.` alone: none at all
  std::vector<std::string> options;  // `ndots:2`
  friend bool operator==(const WorkloadDns&, const WorkloadDns&) = default;
};

inline constexpr const char* kDnsServersLabel = "heddle.dns.servers";
inline constexpr const char* kDnsSearchLabel = "heddle.dns.search";
inline constexpr const char* kDnsOptionsLabel = "heddle.dns.options";

// What each of the three may hold. Errors: `invalid`, for the caller to say where it stood: a
// server that is none, what resolv.conf(5) would not take for a word, too many.
Result<std::vector<IpAddr>> parse_dns_servers(const std::vector<std::string>& texts);
Result<> check_dns_words(const std::vector<std::string>& words);

// Errors: those, naming the label.
Result<WorkloadDns> dns_of(const Labels& labels);

// Writes it into `labels`; what is empty is left out.
void put_dns(const WorkloadDns& dns, Labels& labels);

}  // namespace heddle::model
