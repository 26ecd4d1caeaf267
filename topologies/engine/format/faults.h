#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "topologies/engine/format/impair.h"
#include "topologies/engine/format/reader.h"

// What goes wrong in a lab, on purpose, and when.
namespace heddle::format {

// Whom a fault hits, hosts, nodes, background processes or links: named, or so many of a kind as
// the seed chooses when the fault strikes. minority: fewer than half of them, at least one;
// majority: more than half.
struct Target {
  enum class How { named, one, minority, majority, all };
  How how = How::named;
  std::vector<std::string>
      names;  // named: these; else: from these; empty: from all that can be hit
  friend bool operator==(const Target&, const Target&) = default;
};

// Links are named by either end, `h1:eth0`; a host's or node's own name is its link to the
// underlay.
namespace fault {

struct Kill {};        // power cut: links, then every process and the namespace; a process: SIGKILL
struct Restart {};     // a power cut, and power back at once; a process: SIGTERM, then run again
struct Stop {};        // SIGTERM to a background process
struct KillDaemon {};  // SIGKILL to heddled alone
struct RestartDaemon {};  // heddled ends and starts
struct Pause {};          // every process of a host or node stands still (cgroup freezer), or one
struct Cut {};            // a link has no carrier any more, at both ends
struct Impair {           // a link; what it did before comes back at the end
  LinkImpairment impairment;
};
// Frames between sides are dropped on the underlay; links stay up.
struct Partition {
  enum class Shape {
    halves,    // as even as their number allows
    majority,  // the larger part and the rest
    isolate,   // one against all others
    one_way,   // as halves (or `sides`, two), and only frames from the first to the second drop
    sides,     // as given
  };
  Shape shape = Shape::halves;
  std::vector<std::vector<std::string>> sides;
};
// The time that programs see through their Clock jumps by so much (HEDDLE_CLOCK_OFFSET_FILE).
struct ClockStep {
  std::chrono::milliseconds by{0};
};
struct DiskFull {};  // the host's state and run directories take no byte more

}  // namespace fault

using FaultAction = std::variant<fault::Kill, fault::Restart, fault::Stop, fault::KillDaemon,
                                 fault::RestartDaemon, fault::Pause, fault::Cut, fault::Impair,
                                 fault::Partition, fault::ClockStep, fault::DiskFull>;
std::string_view name_of(const FaultAction& action);  // as the file has it: `kill-daemon`

// One line of the timeline. Times count from the timeline's start.
struct Fault {
  std::string name;  // empty: described by its action
  FaultAction action;
  Target on;
  std::chrono::milliseconds at{0};
  std::optional<std::chrono::milliseconds> every{};  // again and again from `at` ...
  std::optional<std::chrono::milliseconds> until{};  // ... to here; set with `every`
  // `between: [a, b]`: at a time that the seed chooses. `at` is a then, and this is b.
  std::optional<std::chrono::milliseconds> latest{};
  // It is undone so long after it struck; nothing: it stays. Never set for restarts.
  std::optional<std::chrono::milliseconds> lasts{};
  Mark mark;
};

// When it strikes, of a fault whose times are not left to the seed.
std::vector<std::chrono::milliseconds> fixed_times(const Fault& fault);

}  // namespace heddle::format
