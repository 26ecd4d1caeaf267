#pragma once
#include <array>
#include <string_view>

// Every key of the configuration file. docs/proxy.md is compared with these by a test.
namespace heddle::config::keys {

inline constexpr auto kFile = std::to_array<std::string_view>(
    {"listeners", "target-groups", "admin", "resolve-every", "locality", "limits", "access-log"});
inline constexpr auto kAccessLog = std::to_array<std::string_view>({"to", "format", "sample"});
inline constexpr auto kLocality = std::to_array<std::string_view>({"node", "zone"});
inline constexpr auto kAdmin = std::to_array<std::string_view>({"bind", "socket"});
inline constexpr auto kListener = std::to_array<std::string_view>(
    {"bind", "kind", "idle-timeout", "header-timeout", "rules", "default"});
inline constexpr auto kRule = std::to_array<std::string_view>(
    {"priority", "when", "forward", "redirect", "respond", "rewrite", "request-headers",
     "response-headers", "rate-limit", "fault", "timeout"});
inline constexpr auto kDefault =
    std::to_array<std::string_view>({"forward", "redirect", "respond", "rewrite", "request-headers",
                                     "response-headers", "rate-limit", "fault", "timeout"});
inline constexpr auto kWhen =
    std::to_array<std::string_view>({"host", "path", "method", "headers", "query", "source"});
inline constexpr auto kMatch =
    std::to_array<std::string_view>({"exact", "prefix", "suffix", "wildcard", "regex"});
inline constexpr auto kForward = std::to_array<std::string_view>({"groups", "sticky"});
inline constexpr auto kSticky = std::to_array<std::string_view>({"cookie", "for"});
inline constexpr auto kRedirect = std::to_array<std::string_view>(
    {"status", "location", "protocol", "host", "port", "path", "query"});
inline constexpr auto kRespond = std::to_array<std::string_view>({"status", "type", "body"});
inline constexpr auto kRewrite = std::to_array<std::string_view>({"host", "path"});
inline constexpr auto kRewritePath = std::to_array<std::string_view>({"prefix", "regex", "with"});
inline constexpr auto kHeaderEdits = std::to_array<std::string_view>({"set", "add", "remove"});
inline constexpr auto kRateLimit = std::to_array<std::string_view>({"rate", "burst", "by"});
inline constexpr auto kFault = std::to_array<std::string_view>({"delay", "abort"});
inline constexpr auto kFaultDelay = std::to_array<std::string_view>({"for", "share"});
inline constexpr auto kFaultAbort = std::to_array<std::string_view>({"status", "share"});
inline constexpr auto kGroup = std::to_array<std::string_view>(
    {"protocol", "balance", "hash-by", "sticky", "slow-start", "panic-threshold", "prefer",
     "connect-timeout", "request-timeout", "deregistration-delay", "limits", "outlier", "retry",
     "health-check", "targets"});
inline constexpr auto kLimits =
    std::to_array<std::string_view>({"connections", "pending", "requests", "retries"});
inline constexpr auto kOutlier =
    std::to_array<std::string_view>({"failures", "base", "most", "most-share"});
inline constexpr auto kRetry =
    std::to_array<std::string_view>({"attempts", "budget", "on", "per-try-timeout"});
inline constexpr auto kHealthCheck = std::to_array<std::string_view>(
    {"kind", "path", "host", "status", "port", "interval", "timeout", "healthy", "unhealthy"});
inline constexpr auto kHashBy = std::to_array<std::string_view>({"header", "cookie"});
inline constexpr auto kTarget =
    std::to_array<std::string_view>({"address", "weight", "priority", "node", "zone"});

}  // namespace heddle::config::keys
