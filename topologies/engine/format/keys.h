#pragma once
#include <array>
#include <string_view>

// Every key of the format. The schema's test compares these with topologies/schema.
namespace heddle::format::keys {

inline constexpr auto kLab = std::to_array<std::string_view>(
    {"name", "prefix", "runtime", "mgmt", "topology", "underlay", "hosts", "steps", "settings",
     "overlays", "services", "faults", "checks", "seed", "fidelity"});
inline constexpr auto kTopology =
    std::to_array<std::string_view>({"defaults", "kinds", "groups", "nodes", "links"});

// containerlab's keys of a node, `runtime` and `underlay`.
inline constexpr auto kNode = std::to_array<std::string_view>(
    {"kind",           "group",     "type",         "image",         "image-pull-policy",
     "restart-policy", "hostname",  "entrypoint",   "cmd",           "user",
     "exec",           "binds",     "volumes",      "ports",         "env-files",
     "aliases",        "cap-add",   "devices",      "security-opts", "env",
     "labels",         "sysctls",   "tmpfs",        "cpu",           "memory",
     "cpu-set",        "shm-size",  "privileged",   "auto-remove",   "startup-delay",
     "mgmt-ipv4",      "mgmt-ipv6", "network-mode", "dns",           "healthcheck",
     "stages",         "underlay",  "impair",       "runtime"});
// Those that a runtime has no use for. A warning names them.
inline constexpr auto kIgnoredByNetns = std::to_array<std::string_view>(
    {"type", "image", "image-pull-policy", "restart-policy", "volumes", "ports", "aliases",
     "cap-add", "devices", "security-opts", "shm-size", "privileged", "auto-remove"});
inline constexpr auto kIgnoredByDocker = std::to_array<std::string_view>(
    {"type", "restart-policy", "volumes", "ports", "aliases", "auto-remove"});
inline constexpr auto kDns = std::to_array<std::string_view>({"servers", "search", "options"});
inline constexpr auto kHealthcheck =
    std::to_array<std::string_view>({"test", "interval", "timeout", "retries", "start-period"});
inline constexpr auto kStages =
    std::to_array<std::string_view>({"create", "create-links", "configure", "healthy", "exit"});
inline constexpr auto kStage = std::to_array<std::string_view>({"wait-for", "exec"});
inline constexpr auto kStageWait = std::to_array<std::string_view>({"node", "stage"});
inline constexpr auto kStageExec = std::to_array<std::string_view>({"command", "phase", "target"});
inline constexpr auto kMgmt = std::to_array<std::string_view>(
    {"network", "bridge", "ipv4-subnet", "ipv6-subnet", "ipv4-gw", "ipv6-gw", "ipv4-range",
     "ipv6-range", "mtu", "external-access", "skip-when-unused", "driver-opts"});
inline constexpr auto kSingleLink =
    std::to_array<std::string_view>({"type", "endpoint", "host-interface", "mode", "remote", "vni",
                                     "dst-port", "src-port", "mtu", "vars", "labels"});

inline constexpr auto kLink = std::to_array<std::string_view>(
    {"endpoints", "mtu", "ipv4", "ipv6", "vars", "labels", "type", "impair"});
inline constexpr auto kLinkEnd =
    std::to_array<std::string_view>({"node", "interface", "mac", "ipv4", "ipv6", "vars"});
inline constexpr auto kUnderlay = std::to_array<std::string_view>({"subnet", "mtu", "impair"});
inline constexpr auto kHost =
    std::to_array<std::string_view>({"address", "daemon", "env", "files", "impair"});

inline constexpr auto kImpair =
    std::to_array<std::string_view>({"delay", "jitter", "distribution", "loss", "duplicate",
                                     "corrupt", "reorder", "rate", "limit", "forward", "backward"});
inline constexpr auto kImpairWay =
    std::to_array<std::string_view>({"delay", "jitter", "distribution", "loss", "duplicate",
                                     "corrupt", "reorder", "rate", "limit"});
inline constexpr auto kLoss = std::to_array<std::string_view>({"share", "burst"});

// Compose's of `networks:` and of `services:`, those that labs know, and `hosts`.
inline constexpr auto kOverlay = std::to_array<std::string_view>(
    {"driver", "internal", "attachable", "ipam", "labels", "driver_opts"});
inline constexpr auto kIpam = std::to_array<std::string_view>({"config"});
inline constexpr auto kIpamConfig = std::to_array<std::string_view>({"subnet", "gateway"});
inline constexpr auto kService = std::to_array<std::string_view>(
    {"hosts", "deploy", "command", "networks", "ports", "expose", "environment", "labels",
     "restart", "working_dir", "healthcheck"});
inline constexpr auto kDeploy = std::to_array<std::string_view>({"replicas"});
inline constexpr auto kServiceNetwork =
    std::to_array<std::string_view>({"aliases", "ipv4_address"});
inline constexpr auto kServiceCheck =
    std::to_array<std::string_view>({"test", "interval", "timeout", "retries", "start_period"});

inline constexpr auto kStep = std::to_array<std::string_view>(
    {"name",      "on",        "run",         "background",     "timeout", "stop",   "await",
     "kill",      "start",     "kill-daemon", "restart-daemon", "pause",   "cut",    "mend",
     "impair",    "partition", "heal",        "freeze",         "thaw",    "clock",  "fill-disk",
     "free-disk", "faults",    "expect",      "eventually",     "every",   "capture"});
inline constexpr auto kStepActions = std::to_array<std::string_view>(
    {"run", "stop", "await", "kill", "start", "kill-daemon", "restart-daemon", "pause", "cut",
     "mend", "impair", "partition", "heal", "freeze", "thaw", "clock", "fill-disk", "free-disk",
     "faults"});
inline constexpr auto kStepFaults =
    std::to_array<std::string_view>({"cut", "mend", "impair", "partition", "heal", "freeze", "thaw",
                                     "clock", "fill-disk", "free-disk"});
inline constexpr auto kExpect =
    std::to_array<std::string_view>({"exit", "stdout", "stderr", "json", "at-most"});
inline constexpr auto kText =
    std::to_array<std::string_view>({"contains", "lacks", "equals", "matches", "lines"});
inline constexpr auto kJson = std::to_array<std::string_view>({"equals", "at-least", "at-most"});

inline constexpr auto kFault = std::to_array<std::string_view>(
    {"name", "at", "every", "until", "between", "for", "kill", "restart", "stop", "kill-daemon",
     "restart-daemon", "pause", "cut", "impair", "partition", "clock", "disk-full"});
inline constexpr auto kFaultActions =
    std::to_array<std::string_view>({"kill", "restart", "stop", "kill-daemon", "restart-daemon",
                                     "pause", "cut", "impair", "partition", "clock", "disk-full"});
inline constexpr auto kTarget =
    std::to_array<std::string_view>({"one", "minority", "majority", "all"});
inline constexpr auto kShapes =
    std::to_array<std::string_view>({"halves", "majority", "isolate", "one-way"});
inline constexpr auto kOneWay = std::to_array<std::string_view>({"one-way"});
inline constexpr auto kClock = std::to_array<std::string_view>({"on", "by"});

inline constexpr auto kCheck = std::to_array<std::string_view>(
    {"name", "on", "ping", "http", "tcp", "dns", "exec", "throughput", "verify", "eventually",
     "always", "never", "sometimes", "every", "timeout"});
inline constexpr auto kProbes =
    std::to_array<std::string_view>({"ping", "http", "tcp", "dns", "exec", "throughput", "verify"});
inline constexpr auto kPing = std::to_array<std::string_view>({"to", "count"});
inline constexpr auto kHttp = std::to_array<std::string_view>({"url", "status", "contains"});
inline constexpr auto kTcp = std::to_array<std::string_view>({"to"});
inline constexpr auto kDnsProbe =
    std::to_array<std::string_view>({"name", "server", "type", "answers", "none"});
inline constexpr auto kThroughput =
    std::to_array<std::string_view>({"to", "at-least", "at-most", "time"});
inline constexpr auto kFidelity = std::to_array<std::string_view>({"max-delay-error", "max-stall"});

}  // namespace heddle::format::keys
