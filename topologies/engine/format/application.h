#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/net/ip.h"
#include "topologies/engine/format/reader.h"

// What runs on a lab's hosts through their heddled, in Compose's shapes: `overlays:` is its
// `networks:`, `services:` its own.
namespace heddle::format {

struct Overlay {
  std::string name;
  std::string driver = "overlay";  // or bridge, macvlan, ipvlan: one for each host then
  bool internal = false;
  std::optional<bool> attachable{};
  struct Range {
    Prefix subnet;
    std::optional<IpAddr> gateway{};
  };
  std::vector<Range> ranges{};
  std::map<std::string, std::string> options{};
  std::map<std::string, std::string> labels{};
  Mark mark{};
  bool is_swarms() const { return driver == "overlay"; }
};

struct ServiceNetwork {
  std::string name;
  std::vector<std::string> aliases{};
  std::optional<IpAddr> address{};
};
// Waited for, when the lab is deployed, until `test` succeeds in the workload's network.
struct ServiceCheck {
  std::vector<std::string> test;  // a command; a shell line is {"/bin/sh", "-c", line}
  std::chrono::milliseconds interval{1000};
  std::chrono::milliseconds timeout{30'000};
  std::chrono::milliseconds start_period{0};
  std::int64_t retries = 10;
};
struct Service {
  std::string name;
  std::vector<std::string> hosts{};  // one workload on each; complete once the lab was checked
  std::int64_t replicas = 1;         // where no hosts are named: over all that run heddled in turn
  std::vector<std::string> command{};
  std::vector<ServiceNetwork> networks{};
  std::vector<std::string> ports{};   // published: [ADDRESS:][HOST:]PORT[/PROTOCOL]
  std::vector<std::string> expose{};  // PORT[/PROTOCOL], as --port
  std::map<std::string, std::string> environment{};
  std::map<std::string, std::string> labels{};
  std::string restart = "no";
  std::string directory{};
  std::optional<ServiceCheck> check{};
  Mark mark{};
};

}  // namespace heddle::format
