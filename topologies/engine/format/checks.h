#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "topologies/engine/format/reader.h"

// What must hold of a lab beside its steps, while faults strike and after.
namespace heddle::format {

namespace probe {

struct Ping {
  std::string to;  // a host, node or address; variables are expanded
  std::int64_t count = 1;
};
struct Http {
  std::string url;
  std::int64_t status = 200;
  std::string contains;  // of the body
};
struct Tcp {
  std::string to;  // HOST:PORT; a connection is made and ended
};
struct Dns {
  std::string server;  // empty: the place's own
  std::string name;
  std::string type = "A";
  std::vector<std::string> answers;  // exactly these in any order; empty: any answer
  bool none = false;                 // no such name, or nothing of that type
};
struct Exec {
  std::vector<std::string> command;  // a shell line is {"/bin/sh", "-ec", line}
  std::string shown;
};
struct Throughput {  // TCP, one stream, for `time`
  std::string to;
  double at_least = 0;  // bits a second
  double at_most = 0;   // 0: no bound
  std::chrono::milliseconds time{2000};
};
struct Verify {};  // heddle verify finds no difference

}  // namespace probe

using Probe = std::variant<probe::Ping, probe::Http, probe::Tcp, probe::Dns, probe::Exec,
                           probe::Throughput, probe::Verify>;

struct Check {
  // eventually: holds at some moment no later than `within` after the timeline's end, and is tried
  // until then. always: at each look from the timeline's start to its end. never: at none of them.
  // sometimes: at one of them at least.
  enum class When { eventually, always, never, sometimes };
  std::string name;
  Probe probe;
  // Hosts and nodes it is made from, or `h1/client` for a workload there; it has to hold of each.
  std::vector<std::string> on;
  When when = When::eventually;
  std::chrono::milliseconds within{5000};
  std::chrono::milliseconds every{200};
  std::chrono::milliseconds timeout{1000};  // of one look; a look that takes longer did not hold
  Mark mark;
};

}  // namespace heddle::format
