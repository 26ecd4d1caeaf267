#pragma once
// Inside this folder only: the readers of the file's sections.
#include <functional>

#include "topologies/engine/format/lab.h"
#include "topologies/engine/format/reader.h"

namespace heddle::format {

void read_mgmt(const YamlNode* mgmt, Lab& lab, Diagnostics& diagnostics);
// Replaces `${NAME}` wherever the file's texts have it, but for those that are replaced later.
void expand_root(YamlNode& root, const Environment& environment, Diagnostics& diagnostics);

// A tree in which expand_root has replaced something, so that reading it once more replaces
// nothing.
void escape_replaced(YamlNode& now, const YamlNode& before);

void read_topology(const YamlNode& topology, Runtime runtime, Lab& lab, Diagnostics& diagnostics);
void read_underlay(const YamlNode* underlay, Lab& lab, Diagnostics& diagnostics);
void read_hosts(const YamlNode& hosts, Lab& lab, Diagnostics& diagnostics);
void read_steps(const YamlNode& steps, Lab& lab, Diagnostics& diagnostics);
void read_faults(const YamlNode& faults, Lab& lab, Diagnostics& diagnostics);
void read_checks(const YamlNode& checks, Lab& lab, Diagnostics& diagnostics);
void read_fidelity(const YamlNode& fidelity, Lab& lab, Diagnostics& diagnostics);

// One of the actions of `keys::kFaultActions` under `key` of a fault or step: what, and whom it
// hits.
struct ActionOn {
  FaultAction action;
  Target on;
};
ActionOn read_fault_action(const MapReader& map, std::string_view key, std::string_view action,
                           Diagnostics& diagnostics);

// `impair:` of a link, a host, a node, the underlay or a fault. `path` is its place.
LinkImpairment read_impairment(const YamlNode& node, const std::string& path,
                               Diagnostics& diagnostics);

// All of `topology:` but its links. `runtime`: of nodes that say nothing of it.
void read_nodes(const MapReader& topology, Runtime runtime, Lab& lab, Diagnostics& diagnostics);
// `runtime:` of a node or of the file.
std::optional<Runtime> read_runtime_name(const MapReader& map);
// Of a node whose runtime is docker. `level_of`: the most specific level that says something of a
// key; none: nullptr.
using LevelOf = std::function<const MapReader*(std::string_view key)>;
Container read_container(const MapReader& own, const LevelOf& level_of, Diagnostics& diagnostics);

// A command line as words, quotes and backslashes taken away. Errors: `invalid`.
Result<std::vector<std::string>> split_words(std::string_view text);
// 512, 512k, 512MB, 1Gb, 2GiB: as Docker, a kilo is 1024.
std::optional<std::uint64_t> parse_bytes(std::string_view text);

// A link of containerlab's extended form whose other side is no node: `type` is its type.
inline constexpr std::string_view kSingleTypes[] = {"host", "mgmt-net", "macvlan", "dummy",
                                                    "vxlan"};
void read_single_link(const YamlNode& link, const std::string& path, Lab& lab,
                      Diagnostics& diagnostics);

// Of a stage of a node, and its health check.
StageRules read_stage(const MapReader& stages, std::string_view stage, Diagnostics& diagnostics);
std::optional<Healthcheck> read_healthcheck(const YamlNode& node, const std::string& path,
                                            Diagnostics& diagnostics);

void read_overlays(const YamlNode& overlays, Lab& lab, Diagnostics& diagnostics);
void read_services(const YamlNode& services, Lab& lab, Diagnostics& diagnostics);
void check_application(Lab& lab, Diagnostics& diagnostics);  // and says where services run

// Reads what `env-files` name into `env`, which wins. Errors: `invalid`, with file and line.
Result<> read_env_files(Lab& lab);

// Addresses of the management network, and what stages wait for. After check_lab's names.
void give_mgmt_addresses(Lab& lab, Diagnostics& diagnostics);
void check_stages(const Lab& lab, Diagnostics& diagnostics);

// After all sections: names, addresses and references that must agree with each other. Gives
// automatic underlay addresses.
void check_lab(Lab& lab, Diagnostics& diagnostics);
// Its part for faults, checks and the steps that are faults: what they name is there, and no fault
// contradicts another.
void check_timeline(const Lab& lab, Diagnostics& diagnostics);

}  // namespace heddle::format
