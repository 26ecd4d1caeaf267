#pragma once
#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/net/ip.h"
#include "proxy/snapshot/config.h"
#include "proxy/telemetry/access_log.h"

namespace heddle::config {

// A target whose address is a name: one target of its group for each address that the name has.
struct NamedTarget {
  std::string group;
  std::string host;
  snapshot::Target like;  // weight and port
};

// What a configuration file says. A listener's socket is named by the address that it binds.
struct Edge {
  snapshot::Snapshot snapshot;  // without the targets of `names`
  std::vector<NamedTarget> names;
  std::chrono::milliseconds resolve_every{30'000};
  std::optional<SocketAddr> admin_bind;
  std::string admin_socket;  // a path; empty: none
  snapshot::Limits limits;   // of all groups together
  std::optional<telemetry::AccessLog::Settings> access_log;
};

// Addresses of a name; absent: not known yet.
using Addresses = std::map<std::string, std::vector<IpAddr>>;

// The file's snapshot with the targets of all names whose addresses are known.
snapshot::Snapshot resolved(const Edge& edge, const Addresses& addresses);

// Checks everything that can be checked without acting. `file` stands in messages only.
// Errors: `invalid`, one line for each problem: FILE:LINE:COLUMN: KEY: what is wrong.
Result<Edge> parse_edge(std::string_view text, const std::string& file);

// Reads and parses a file. Errors: those of parse_edge; `not_found`, `denied`.
Result<Edge> load_edge(const std::string& path);

}  // namespace heddle::config
