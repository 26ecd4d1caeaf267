#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/net/ip.h"
#include "common/net/link.h"
#include "topologies/engine/format/reader.h"
#include "topologies/engine/stages/stages.h"

// Parts of a node of containerlab's `topology:`, and of what it hangs on beside links to others.
namespace heddle::format {

// A command of a stage.
struct StageCommand {
  std::string command;      // a shell line
  bool at_exit = false;     // `on-exit`: once the stage's own work is done; else before it
  bool on_machine = false;  // `target: host`
  friend bool operator==(const StageCommand&, const StageCommand&) = default;
};
struct StageRules {
  std::vector<stages::Wait> wait_for;
  std::vector<StageCommand> exec;
  friend bool operator==(const StageRules&, const StageRules&) = default;
};
using Stages = std::array<StageRules, stages::kStages>;  // by stages::Stage

// Docker's terms: healthy once `test` has succeeded; given up after `retries` failures in a row
// past `start_period`.
struct Healthcheck {
  std::vector<std::string> test;  // a command; a shell line is {"/bin/sh", "-c", line}
  std::chrono::seconds interval{30};
  std::chrono::seconds timeout{30};
  std::chrono::seconds start_period{0};
  std::int64_t retries = 3;
  friend bool operator==(const Healthcheck&, const Healthcheck&) = default;
};

// Of all processes of a node together; what is 0 or empty is not limited.
struct Limits {
  double cpu = 0;            // cores
  std::uint64_t memory = 0;  // bytes
  std::string cpu_set;       // 0-1,4
  bool empty() const { return *this == Limits{}; }
  friend bool operator==(const Limits&, const Limits&) = default;
};

// What its resolv.conf says.
struct Dns {
  std::vector<std::string> servers;
  std::vector<std::string> search;
  std::vector<std::string> options;
  bool empty() const { return *this == Dns{}; }
  friend bool operator==(const Dns&, const Dns&) = default;
};

// What a linux node runs in: a network namespace on this machine's root file system, or a container
// of Docker's or Podman's.
enum class Runtime { netns, docker };
std::string_view name_of(Runtime runtime);
std::optional<Runtime> parse_runtime(std::string_view text);

// How a container is made, in containerlab's terms.
struct Container {
  enum class Pull { if_not_present, always, never };
  std::string image;
  Pull pull = Pull::if_not_present;
  std::vector<std::string> entrypoint{};  // empty: the image's
  std::vector<std::string> command{};     // empty: the image's
  std::map<std::string, std::string> labels{};
  std::vector<std::string> cap_add{};
  std::vector<std::string> devices{};  // HOST[:CONTAINER[:rwm]]
  std::vector<std::string> security_opts{};
  std::uint64_t shm_size = 0;  // bytes; 0: the engine's choice
  bool privileged = true;      // as containerlab's are
  friend bool operator==(const Container&, const Container&) = default;
};

// containerlab's management network: a bridge of the lab's own, eth0 of its linux nodes.
struct Mgmt {
  std::string network = "clab";
  std::optional<Prefix> ipv4;
  std::optional<Prefix> ipv6;
  std::optional<Prefix> ipv4_range;  // where addresses are chosen from; absent: the subnet
  std::optional<IpAddr> ipv4_gateway;
  std::optional<IpAddr> ipv6_gateway;
  std::uint32_t mtu = 1500;
};

// An interface whose other side is no node.
struct Device {
  enum class Kind {
    dummy,    // nothing
    macvlan,  // an interface of this machine, `parent`
    vxlan,    // a VXLAN tunnel from this machine to `remote`
  };
  Kind kind = Kind::dummy;
  std::string node;
  std::string interface;
  std::optional<Mac> mac{};
  std::vector<IfAddr> addresses{};
  std::uint32_t mtu = 1500;
  std::string parent{};  // macvlan
  std::string mode{};    // macvlan: bridge, vepa, private, passthru
  IpAddr remote{};       // vxlan
  std::uint32_t vni = 0;
  std::uint16_t port = 4789;      // UDP, of the remote
  std::uint16_t source_port = 0;  // UDP; 0: the kernel's choice
  Mark mark{};
  friend bool operator==(const Device&, const Device&) = default;
};

}  // namespace heddle::format
