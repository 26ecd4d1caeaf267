#pragma once
#include <array>
#include <string_view>

// Every key of the format. The schema's test compares these with topologies/schema.
namespace heddle::format::keys {

using namespace std::string_view_literals;

inline constexpr std::array kLab = {"name"sv,  "prefix"sv, "mgmt"sv,    "topology"sv, "underlay"sv,
                                    "hosts"sv, "steps"sv,  "settings"sv, "overlays"sv, "services"sv,
                                    "faults"sv, "checks"sv, "seed"sv};
inline constexpr std::array kTopology = {"defaults"sv, "kinds"sv, "groups"sv, "nodes"sv, "links"sv};

// containerlab's keys of a node, and `underlay`.
inline constexpr std::array kNode = {
    "kind"sv,           "group"sv,       "type"sv,       "image"sv,         "image-pull-policy"sv,
    "restart-policy"sv, "hostname"sv,    "entrypoint"sv, "cmd"sv,           "user"sv,
    "exec"sv,           "binds"sv,       "volumes"sv,    "ports"sv,         "env-files"sv,
    "aliases"sv,        "cap-add"sv,     "devices"sv,    "security-opts"sv, "env"sv,
    "labels"sv,         "sysctls"sv,     "tmpfs"sv,      "cpu"sv,           "memory"sv,
    "cpu-set"sv,        "shm-size"sv,    "privileged"sv, "auto-remove"sv,   "startup-delay"sv,
    "mgmt-ipv4"sv,      "mgmt-ipv6"sv,   "network-mode"sv, "dns"sv,         "healthcheck"sv,
    "stages"sv,         "underlay"sv};
// Those that this runtime has no use for. A warning names them.
inline constexpr std::array kNodeIgnored = {
    "type"sv,          "image"sv,     "image-pull-policy"sv, "restart-policy"sv, "hostname"sv,
    "user"sv,          "volumes"sv,   "ports"sv,             "env-files"sv,      "aliases"sv,
    "cap-add"sv,       "devices"sv,   "security-opts"sv,     "tmpfs"sv,          "cpu"sv,
    "memory"sv,        "cpu-set"sv,   "shm-size"sv,          "privileged"sv,     "auto-remove"sv,
    "startup-delay"sv, "mgmt-ipv4"sv, "mgmt-ipv6"sv,         "network-mode"sv,   "dns"sv,
    "healthcheck"sv};

inline constexpr std::array kLink = {"endpoints"sv, "mtu"sv,  "ipv4"sv,   "ipv6"sv,
                                     "vars"sv,      "labels"sv, "type"sv, "impair"sv};
inline constexpr std::array kLinkEnd = {"node"sv, "interface"sv, "mac"sv, "ipv4"sv, "ipv6"sv,
                                        "vars"sv};
inline constexpr std::array kUnderlay = {"subnet"sv, "mtu"sv, "impair"sv};
inline constexpr std::array kHost = {"address"sv, "daemon"sv, "env"sv, "files"sv, "impair"sv};

inline constexpr std::array kStep = {
    "name"sv,  "on"sv,          "run"sv,            "background"sv, "timeout"sv, "stop"sv,
    "await"sv, "kill"sv,        "start"sv,          "kill-daemon"sv, "restart-daemon"sv,
    "pause"sv, "expect"sv,      "eventually"sv,     "every"sv,      "capture"sv};
inline constexpr std::array kStepActions = {"run"sv,  "stop"sv,  "await"sv,       "kill"sv,
                                            "start"sv, "kill-daemon"sv, "restart-daemon"sv,
                                            "pause"sv};
inline constexpr std::array kExpect = {"exit"sv, "stdout"sv, "stderr"sv, "json"sv, "at-most"sv};
inline constexpr std::array kText = {"contains"sv, "lacks"sv, "equals"sv, "matches"sv, "lines"sv};
inline constexpr std::array kJson = {"equals"sv, "at-least"sv, "at-most"sv};

}  // namespace heddle::format::keys
