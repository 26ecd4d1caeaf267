#pragma once
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "topologies/traffic/loop.h"

// Looks at what a check asks for, one after the other for as long as the program lives: cheap
// enough for one every 10 ms, where a command for each would cost a process.
namespace heddle::traffic {

// Each look prints one line of JSON as it ends:
// {"from_us":..,"to_us":..,"ok":true,"why":""}, times of CLOCK_MONOTONIC.
struct PingProbe {
  std::string to;  // a name or address
  int count = 1;   // all of them have to be answered
};
struct HttpProbe {
  std::string url;
  int status = 200;
  std::string contains;  // within the first 64 KiB of the body
};
struct TcpProbe {
  std::string to;  // HOST:PORT
};
struct DnsProbe {
  std::string server;  // empty: the first of /etc/resolv.conf
  std::string name;
  std::string type = "A";  // or AAAA
  std::vector<std::string> answers;
  bool none = false;
};
struct ThroughputProbe {
  std::string to;  // HOST:PORT of a tcp-sink
  double at_least = 0;
  double at_most = 0;  // 0: no bound
  Milliseconds time{2000};
};

struct Probe {
  std::variant<PingProbe, HttpProbe, TcpProbe, DnsProbe, ThroughputProbe> what;
  Milliseconds every{200};  // from begin to begin; a look that takes longer is followed at once
  Milliseconds timeout{1000};
  std::uint64_t looks = 0;  // 0: until a signal
};

// Gives 0 when the last look held. Errors: `invalid` for what can never be looked at.
Result<int> run_probe(const Probe& probe);

}  // namespace heddle::traffic
