#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/result.h"
#include "common/net/ip.h"
#include "common/net/link.h"
#include "topologies/engine/format/application.h"
#include "topologies/engine/format/checks.h"
#include "topologies/engine/format/faults.h"
#include "topologies/engine/format/impair.h"
#include "topologies/engine/format/node.h"
#include "topologies/engine/format/reader.h"

// A lab file as values. The format is a superset of containerlab's `topology:`; docs/labs.md has
// every key, topologies/schema/lab.schema.json is the same for editors.
namespace heddle::format {

using Milliseconds = std::chrono::milliseconds;

// The network that joins hosts, and nodes that ask for it: one bridge in the lab's own switch
// namespace. The bridge has the first address and is everybody's default gateway.
struct Underlay {
  Prefix subnet;
  std::uint32_t mtu = 1500;
  std::optional<LinkImpairment> impair;  // of each link to it that has none of its own
  IpAddr gateway() const { return subnet.at(1); }
};

// A machine that runs heddled: its own network namespace, cgroup, state and run directories.
struct Host {
  std::string name;
  IpAddr address;  // on the underlay
  bool daemon = true;
  std::map<std::string, std::string> env;
  std::map<std::string, std::string> files;  // relative path -> content, under the host's files
  std::optional<LinkImpairment> impair;      // of its link to the underlay
  Mark mark;
};

enum class NodeKind { linux, bridge, host };
std::string_view name_of(NodeKind kind);

// A node of containerlab's `topology:`. linux: a network namespace with its own mount and UTS
// namespaces on this machine's root file system, or a container. bridge: a Linux bridge. host: this
// machine.
struct Node {
  std::string name;
  NodeKind kind = NodeKind::linux;
  std::string group;               // as the file has it
  std::optional<IpAddr> underlay;  // also joined to the underlay, with this address
  std::vector<std::string> exec;   // run in order once its links are up
  std::string command;             // entrypoint and cmd: kept running from its creation on; of a
                                   // container: empty
  std::map<std::string, std::string> env;
  std::map<std::string, std::string> sysctls;
  std::vector<std::string> binds;              // SOURCE:DESTINATION[:ro]
  std::optional<LinkImpairment> impair;        // of its link to the underlay
  std::string hostname{};                      // empty: its name
  std::string user{};                          // NAME or UID, with :GROUP; empty: root
  std::vector<std::string> env_files{};        // read into `env` by read_env_files
  std::map<std::string, std::string> tmpfs{};  // path -> mount options
  Dns dns{};
  Limits limits{};
  std::optional<Healthcheck> healthcheck{};
  Stages stages{};
  std::chrono::seconds startup_delay{0};
  bool mgmt = true;                   // joins the management network, if there is one
  std::optional<IpAddr> mgmt_ipv4{};  // complete once the lab was checked
  std::optional<IpAddr> mgmt_ipv6{};
  std::string shares{};                  // the node whose network namespace it uses
  std::optional<Container> container{};  // present: its runtime is docker
  Mark mark;
  friend bool operator==(const Node&, const Node&) = default;
};

struct LinkEnd {
  std::string node;
  std::string interface;
  std::optional<Mac> mac{};
  std::vector<IfAddr> addresses{};
};
struct Link {
  LinkEnd a;
  LinkEnd b;
  std::uint32_t mtu = 1500;
  std::optional<LinkImpairment> impair;  // present, though empty: can be impaired later
  Mark mark;
};

// What must hold of a command's result. Every claim must.
struct TextClaim {
  std::vector<std::string> contains;
  std::vector<std::string> lacks;
  std::optional<std::string> equals;   // after trailing newlines were taken off both
  std::optional<std::string> matches;  // see Pattern, anywhere in the text
  std::optional<std::int64_t> lines;   // exactly so many
  bool empty() const { return contains.empty() && lacks.empty() && !equals && !matches && !lines; }
};
struct JsonClaim {
  std::string pointer;                // RFC 6901; from `.a.0.b` or `/a/0/b`
  std::optional<std::string> equals;  // text, number, true, false or null as written
  std::optional<double> at_least;
  std::optional<double> at_most;
};
struct Expectation {
  std::int64_t exit = 0;
  bool any_exit = false;  // `exit: any`
  TextClaim out;
  TextClaim err;
  std::vector<JsonClaim> json;          // of standard output
  std::optional<Milliseconds> at_most;  // the command's own time
};

// Runs a command: on each place, at the same time.
struct RunAction {
  std::vector<std::string> on;       // hosts and nodes
  std::vector<std::string> command;  // a shell line is {"/bin/sh", "-ec", line}
  std::string shown;                 // as the file has it
  std::string background;            // name under which it goes on; empty: waited for
  Milliseconds timeout{30'000};
};
struct StopAction {
  std::string background{};
  Milliseconds timeout{10'000};
};  // SIGTERM, then result
struct AwaitAction {
  std::string background{};
  Milliseconds timeout{30'000};
};  // its own end
struct KillAction {
  std::vector<std::string> hosts;  // or linux nodes
};  // power cut
struct StartAction {
  std::vector<std::string> hosts;  // or linux nodes
};  // power back
struct KillDaemonAction {
  std::vector<std::string> hosts;
};  // SIGKILL heddled only
struct RestartDaemonAction {
  std::vector<std::string> hosts;
};  // ended if it runs, then started
struct PauseAction {
  Milliseconds time{0};
};

// A fault that stays until a step undoes it. It has `freeze` for the fault that is named pause.
struct FaultStep {
  FaultAction action;
  Target on;
};
// Undoes what faults did, of steps and timeline alike.
struct MendAction {
  enum class What { cut, freeze, disk, partition };
  What what = What::cut;
  std::vector<std::string> names;  // none for `partition`: all of them end
};
// The timeline of `faults`, beside which `checks` are watched.
struct TimelineAction {
  enum class What { start, await, run };  // run: both
  What what = What::run;
};

using Action =
    std::variant<RunAction, StopAction, AwaitAction, KillAction, StartAction, KillDaemonAction,
                 RestartDaemonAction, PauseAction, FaultStep, MendAction, TimelineAction>;

struct Capture {
  std::string variable;
  std::string pattern;  // its first group, else its whole match; empty: all of it
};

struct Step {
  std::string name;  // empty: its command serves
  Action action;
  Expectation expect;
  std::optional<Milliseconds> eventually;  // repeated until it holds, at most so long
  Milliseconds every{100};
  std::vector<Capture> captures;
  Mark mark;
};

// How far the machine may fall behind what a lab describes before its run says nothing.
struct Fidelity {
  Milliseconds max_delay_error{5};  // of packets that a link delays
  Milliseconds max_stall{500};      // of a thread that had something to do at a certain time
};

struct Lab {
  std::string name;
  std::string file;                  // as given, for messages
  std::string directory;             // of the file, absolute: steps run in it
  std::optional<Underlay> underlay;  // present when something joins it
  std::optional<Mgmt> mgmt{};        // present when something names it
  std::vector<Host> hosts;
  std::vector<Node> nodes;
  std::vector<Link> links;
  std::vector<Device> devices{};
  std::vector<Overlay> overlays{};
  std::vector<Service> services{};
  std::vector<Step> steps;
  std::vector<Fault> faults;
  std::vector<Check> checks;
  std::optional<std::uint64_t> seed;  // of everything that is left to chance; else from the name
  Fidelity fidelity;
  std::vector<std::string> warnings;

  const Host* find_host(std::string_view name) const;
  const Node* find_node(std::string_view name) const;
};

// Reads environment variables for `${NAME}` in the file; a seam for tests.
using Environment = std::map<std::string, std::string>;

// Reads and checks a lab. Pure: touches no file but `text`.
// Errors: `invalid`, one line per problem: FILE:LINE:COLUMN: key: what is wrong.
Result<Lab> parse_lab(std::string_view text, const std::string& file,
                      const Environment& environment);

// The same from disk, with this program's environment. Errors also: `not_found`, `denied`.
// `directory`: where relative paths in it begin; empty: its own.
Result<Lab> load_lab(const std::string& path, const std::string& directory = "");
// The same from text: what a lab's daemon is sent.
struct LabSource {
  std::string text;
  std::string file;       // for messages
  std::string directory;  // absolute
  Environment environment;
};
Result<Lab> load_lab(const LabSource& source);
Environment own_environment();
// The same file with this `runtime:`, which is of all nodes that say nothing else.
// Errors: `invalid` for a file that is no lab, or whose root is not written as a block.
Result<std::string> with_runtime(std::string text, const std::string& file, Runtime runtime);
// The file's bytes, at most kMaxFileBytes.
Result<std::string> read_lab_file(const std::string& path);

}  // namespace heddle::format
