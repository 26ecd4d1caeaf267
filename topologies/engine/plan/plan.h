#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "topologies/engine/format/lab.h"
#include "topologies/engine/plan/application.h"
#include "topologies/engine/plan/paths.h"

// What a lab needs of the kernel. Pure: equal labs give equal plans, names and addresses included.
namespace heddle::plan {

inline constexpr std::string_view kUnderlayBridge = "underlay";  // a node's is `br-` and its name

struct Bridge {
  std::string name;  // in the switch namespace
  Mac mac;
  std::uint32_t mtu = 1500;
  std::vector<IfAddr> addresses;
  friend bool operator==(const Bridge&, const Bridge&) = default;
};

struct End {
  std::string member;    // host or node; empty: the lab's switch; "host" kind: this machine
  bool machine = false;  // the machine's own namespace
  std::string netns;     // path; empty when `machine`
  std::string interface;
  Mac mac;
  std::vector<IfAddr> addresses;
  std::string master;  // bridge that it is a port of
  std::vector<IpAddr> gateways;
  std::string label;   // as people name it: `a:eth1`; of the underlay's side: `underlay:h1`
  bool quiet = false;  // a wire's: left down, and without IPv6; who sets it up raises it
  friend bool operator==(const End&, const End&) = default;
};
struct Veth {
  End a;
  End b;
  std::uint32_t mtu = 1500;
  friend bool operator==(const Veth&, const Veth&) = default;
};

// An interface without another end in the lab.
struct Device {
  End end;
  format::Device what;
  friend bool operator==(const Device&, const Device&) = default;
};

// A link in two halves, veths that meet in the switch namespace, where its packets can be lost,
// delayed, counted and stopped: behind the sender's own device, before the receiver's.
struct Wire {
  End a;
  End b;
  std::string near;  // device in the switch namespace that faces `a`
  std::string far;   // and `b`
  std::uint32_t mtu = 1500;
  format::LinkImpairment impair;
  std::uint64_t forward_key = 0;  // what the n-th packet's fate follows from, with n
  std::uint64_t backward_key = 0;
  friend bool operator==(const Wire&, const Wire&) = default;
};

// Something that processes run on.
struct Member {
  enum class Kind { host, linux, machine };
  std::string name;
  Kind kind = Kind::host;
  std::string netns;        // path; empty for `machine`
  bool owns_netns = false;  // else it is the machine's, or another node's
  std::string cgroup;       // directory
  std::string hostname;
  bool own_mounts = false;  // a mount namespace of its own
  std::string container;    // its name, of a node that is one; the engine owns its namespaces
  std::vector<std::string> binds;
  std::vector<std::string> directories;    // of its own, for binds; made with it
  std::map<std::string, std::string> env;  // complete but for what the caller adds
  std::map<std::string, std::string> sysctls;
  std::map<std::string, std::string> files;  // path -> content, variables expanded
  std::optional<IpAddr> address;             // on the underlay
  bool daemon = false;                       // runs heddled
  std::string run_dir;                       // hosts only
  std::string state_dir;
  std::string files_dir;  // `files` are below it; survives a power cut
  std::string socket;
  std::string log;
  std::optional<format::Node> node{};  // linux and machine: what the file says of it
  friend bool operator==(const Member&, const Member&) = default;
};

struct Plan {
  LabPaths paths;
  std::vector<Bridge> bridges{};
  std::vector<Member> members{};
  std::vector<Veth> veths{};  // in order; of each wire its two halves
  std::vector<Wire> wires{};
  std::vector<Device> devices{};
  Application application{};

  const Member* find(std::string_view name) const;
  std::vector<Veth> veths_of(std::string_view member) const;
};

// What everything that is left to chance follows from: the file's seed, else one of the lab's name.
std::uint64_t seed_of(const format::Lab& lab);

// Makes wires of the links with `impair`, and of those that a fault cuts or impairs.
void plan_wires(const format::Lab& lab, Plan& plan);

// A link as the file has it, whole.
struct LinkView {
  const End* a = nullptr;  // of a link to the underlay: the host or node
  const End* b = nullptr;
  const Wire* wire = nullptr;  // absent: one veth
  std::uint32_t mtu = 0;
  std::string name() const { return a->label + " - " + b->label; }
  bool joins_underlay() const { return b->master == kUnderlayBridge; }
};
std::vector<LinkView> links(const Plan& plan);

// The link that a person means: either end's label, or the name of a host or node for its link to
// the underlay. Errors: `not_found` with the nearest name.
Result<LinkView> find_link(const Plan& plan, std::string_view name);

// Errors: `invalid` when a file's variables are unknown.
Result<Plan> plan_lab(const format::Lab& lab, const LabPaths& paths);

// `${h1.address}`, `${h1.files}`, `${h1.run}`, `${h1.state}`, `${h1.socket}`, `${lab.name}`,
// `${lab.dir}`: what every command and host file of the lab may use.
std::map<std::string, std::string> built_in_variables(const format::Lab& lab,
                                                      const LabPaths& paths);

}  // namespace heddle::plan
