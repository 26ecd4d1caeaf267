#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/net/ip.h"

// What the proxy is configured with, as values: listener -> rule -> target group -> target.
// Everything here was validated by decode.h.
namespace heddle::snapshot {

using std::chrono::milliseconds;

enum class ListenerKind { http, tcp, outbound, inbound };
enum class Protocol { detect, tcp, http1, http2 };
enum class Algorithm {
  round_robin,
  least_request,
  peak_ewma,
  random,
  source_hash,
  ring_hash,
  maglev,
};
// Does it send what has the same key to the same target?
constexpr bool hashes(Algorithm algorithm) {
  return algorithm == Algorithm::source_hash || algorithm == Algorithm::ring_hash ||
         algorithm == Algorithm::maglev;
}
enum class TargetState { ready, draining, gone };

struct StringMatch {
  // wildcard: `*` is any text, `?` any one byte. regex: RE2's syntax, the whole text.
  enum class How { exact, prefix, suffix, wildcard, regex };
  How how = How::exact;
  std::string text;
  friend bool operator==(const StringMatch&, const StringMatch&) = default;
};

struct Condition {
  enum class Of { host, path, method, header, query, source };
  Of of = Of::path;
  std::string name;              // of the header or of the query's parameter
  std::vector<StringMatch> any;  // one must hold; not for `source`
  std::vector<Prefix> sources;   // for `source`: one must have the client's address
  friend bool operator==(const Condition&, const Condition&) = default;
};

struct WeightedGroup {
  std::string group;
  std::uint32_t weight = 1;
  friend bool operator==(const WeightedGroup&, const WeightedGroup&) = default;
};
// Clients come back to where they were, by a cookie.
struct Sticky {
  std::string cookie;
  std::chrono::seconds lifetime{0};  // 0: as long as the client's session
  friend bool operator==(const Sticky&, const Sticky&) = default;
};
struct Forward {
  std::vector<WeightedGroup> groups;  // not empty; some weight > 0
  std::optional<Sticky> sticky;       // to the group
  friend bool operator==(const Forward&, const Forward&) = default;
};
struct FixedResponse {
  int status = 404;
  std::string content_type;
  std::string body;
  friend bool operator==(const FixedResponse&, const FixedResponse&) = default;
};
// `location` as it is; or, when that is empty, made of the parts. In them #{protocol}, #{host},
// #{port}, #{path} (without its first slash) and #{query} stand for the request's.
struct Redirect {
  int status = 302;
  std::string location;
  std::string protocol = "#{protocol}";
  std::string host = "#{host}";
  std::string port = "#{port}";
  std::string path = "/#{path}";
  std::string query = "#{query}";
  friend bool operator==(const Redirect&, const Redirect&) = default;
};
using Action = std::variant<Forward, FixedResponse, Redirect>;

struct HeaderEdit {
  enum class How { set, add, remove };
  How how = How::set;
  std::string name;
  std::string value;
  friend bool operator==(const HeaderEdit&, const HeaderEdit&) = default;
};
// What a target sees instead of what the client asked for. Empty: the same.
struct Rewrite {
  std::string host;
  std::string path_prefix;  // of paths that begin with it, `path_with` stands instead
  std::string path_regex;   // the whole path; in `path_with` $1 to $9 are its groups
  std::string path_with;
  friend bool operator==(const Rewrite&, const Rewrite&) = default;
};
// Requests beyond it are answered with 429.
struct RateLimit {
  enum class By { rule, source };  // one bucket, or one for each client address
  By by = By::rule;
  double per_second = 0;
  std::uint32_t burst = 1;  // at once, after a pause
  friend bool operator==(const RateLimit&, const RateLimit&) = default;
};
// Deliberate trouble for a share (in parts per million) of the requests.
struct Fault {
  milliseconds delay{0};
  std::uint32_t delay_ppm = 0;
  int abort_status = 503;
  std::uint32_t abort_ppm = 0;
  friend bool operator==(const Fault&, const Fault&) = default;
};
// What is done to a request and its response on the way, beside the action.
struct Treatment {
  Rewrite rewrite;
  std::vector<HeaderEdit> request_headers;
  std::vector<HeaderEdit> response_headers;
  std::optional<RateLimit> rate_limit;
  std::optional<Fault> fault;
  std::optional<milliseconds> timeout;  // from head to head; else the target group's
  friend bool operator==(const Treatment&, const Treatment&) = default;
};

struct Rule {
  std::uint32_t priority = 0;
  std::vector<Condition> conditions;  // all must hold
  Action action;
  Treatment treatment;
  friend bool operator==(const Rule&, const Rule&) = default;
};

struct InboundPort {
  std::uint16_t port = 0;
  Protocol protocol = Protocol::detect;
  std::string service;  // metric label
  friend bool operator==(const InboundPort&, const InboundPort&) = default;
};

struct Listener {
  std::string name;  // unique
  ListenerKind kind = ListenerKind::http;
  std::string socket;
  std::vector<Rule> rules;  // by priority, lowest first
  std::optional<Action> default_action;
  Treatment default_treatment;
  std::vector<InboundPort> inbound_ports;  // by port
  std::optional<milliseconds> idle_timeout;
  std::optional<milliseconds> header_timeout;
  friend bool operator==(const Listener&, const Listener&) = default;
};

struct Target {
  std::string id;  // unique in its group
  SocketAddr address;
  std::uint32_t weight = 1;
  TargetState state = TargetState::ready;
  std::string node;
  std::uint32_t level = 0;  // lower ones first, by priority and by how near they are
  friend bool operator==(const Target&, const Target&) = default;
};

// What the algorithms that hash go by.
struct HashBy {
  enum class Of { source, host, path, header, cookie };
  Of of = Of::source;
  std::string name;  // of the header or cookie
  friend bool operator==(const HashBy&, const HashBy&) = default;
};

// How much may be under way at once, over all cores; 0: no limit.
struct Limits {
  std::uint32_t connections = 0;
  std::uint32_t pending = 0;  // connections that are being made
  std::uint32_t requests = 0;
  std::uint32_t retries = 0;
  friend bool operator==(const Limits&, const Limits&) = default;
};

// When a target whose answers fail is left out for a while.
struct Outlier {
  std::uint32_t failures = 5;  // in a row
  milliseconds base{30'000};   // the first time; each further time adds as much
  milliseconds most{300'000};
  double most_share = 0.1;  // of the targets that may be out at once; one always may
  friend bool operator==(const Outlier&, const Outlier&) = default;
};

// Which answers are not passed on while another target may give a better one. What provably did
// not reach a target is always sent again.
struct Retry {
  int attempts = 3;           // in all
  double budget = 0.2;        // retries, as a share of the requests
  std::vector<int> statuses;  // of idempotent requests without a body
  bool on_timeout = false;    // the same, when no answer came within `per_try`
  std::optional<milliseconds> per_try;
  friend bool operator==(const Retry&, const Retry&) = default;
};

struct HealthCheck {
  enum class Kind { http, tcp };
  Kind kind = Kind::http;
  std::string path = "/";
  std::string host;
  int status_low = 200;
  int status_high = 399;
  std::uint16_t port = 0;  // 0: the target's own
  milliseconds interval{10'000};
  milliseconds timeout{2'000};
  std::uint32_t healthy = 2;  // checks in a row that change its mind
  std::uint32_t unhealthy = 3;
  friend bool operator==(const HealthCheck&, const HealthCheck&) = default;
};

struct TargetGroup {
  std::string name;
  Protocol protocol = Protocol::detect;
  Algorithm algorithm = Algorithm::round_robin;
  HashBy hash_by;
  std::optional<Sticky> sticky;  // to the target
  milliseconds slow_start{0};
  double panic_threshold = 0;  // share of targets that are well
  Limits limits;
  std::optional<Outlier> outlier;
  std::optional<Retry> retry;
  std::optional<HealthCheck> health_check;
  std::vector<Target> targets;
  milliseconds connect_timeout{1000};
  milliseconds request_timeout{30000};
  std::string service;  // metric label; the group's name when the message has none
  // How long what is under way to a target that is dropped may go on. Absent: who is dropped is
  // gone, which is how heddled says that it died.
  std::optional<milliseconds> deregistration_delay;
  friend bool operator==(const TargetGroup&, const TargetGroup&) = default;
};

struct Snapshot {
  std::uint64_t revision = 0;
  std::vector<Listener> listeners;
  std::vector<TargetGroup> groups;
};

struct GroupRemoved {
  std::string name;
};

// The group that serves an original destination; empty: pass the connection through.
struct Resolved {
  SocketAddr destination;
  std::string group;
};

using ConfigMessage = std::variant<Snapshot, TargetGroup, GroupRemoved, Resolved>;

}  // namespace heddle::snapshot
