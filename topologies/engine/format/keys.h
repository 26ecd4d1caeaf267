#pragma once
#include <array>
#include <string_view>

// Every key of the format. The schema's test compares these with topologies/schema.
namespace heddle::format::keys {

inline constexpr auto kLab = std::to_array<std::string_view>(
    {"name", "prefix", "mgmt", "topology", "underlay", "hosts", "steps", "settings", "overlays",
     "services", "faults", "checks", "seed"});
inline constexpr auto kTopology =
    std::to_array<std::string_view>({"defaults", "kinds", "groups", "nodes", "links"});

// containerlab's keys of a node, and `underlay`.
inline constexpr auto kNode = std::to_array<std::string_view>(
    {"kind",           "group",     "type",         "image",         "image-pull-policy",
     "restart-policy", "hostname",  "entrypoint",   "cmd",           "user",
     "exec",           "binds",     "volumes",      "ports",         "env-files",
     "aliases",        "cap-add",   "devices",      "security-opts", "env",
     "labels",         "sysctls",   "tmpfs",        "cpu",           "memory",
     "cpu-set",        "shm-size",  "privileged",   "auto-remove",   "startup-delay",
     "mgmt-ipv4",      "mgmt-ipv6", "network-mode", "dns",           "healthcheck",
     "stages",         "underlay",  "impair"});
// Those that this runtime has no use for. A warning names them.
inline constexpr auto kNodeIgnored = std::to_array<std::string_view>({"type",
                                                                      "image",
                                                                      "image-pull-policy",
                                                                      "restart-policy",
                                                                      "hostname",
                                                                      "user",
                                                                      "volumes",
                                                                      "ports",
                                                                      "env-files",
                                                                      "aliases",
                                                                      "cap-add",
                                                                      "devices",
                                                                      "security-opts",
                                                                      "tmpfs",
                                                                      "cpu",
                                                                      "memory",
                                                                      "cpu-set",
                                                                      "shm-size",
                                                                      "privileged",
                                                                      "auto-remove",
                                                                      "startup-delay",
                                                                      "mgmt-ipv4",
                                                                      "mgmt-ipv6",
                                                                      "network-mode",
                                                                      "dns",
                                                                      "healthcheck"});

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

inline constexpr auto kStep = std::to_array<std::string_view>(
    {"name", "on", "run", "background", "timeout", "stop", "await", "kill", "start", "kill-daemon",
     "restart-daemon", "pause", "expect", "eventually", "every", "capture"});
inline constexpr auto kStepActions = std::to_array<std::string_view>(
    {"run", "stop", "await", "kill", "start", "kill-daemon", "restart-daemon", "pause"});
inline constexpr auto kExpect =
    std::to_array<std::string_view>({"exit", "stdout", "stderr", "json", "at-most"});
inline constexpr auto kText =
    std::to_array<std::string_view>({"contains", "lacks", "equals", "matches", "lines"});
inline constexpr auto kJson = std::to_array<std::string_view>({"equals", "at-least", "at-most"});

}  // namespace heddle::format::keys
