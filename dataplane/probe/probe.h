#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

// What this kernel can do for Heddle, found out by doing it: tiny objects in a network namespace
// that goes with the probe, programs that are loaded and dropped. Versions are only printed.
namespace heddle::probe {

enum class Need {
  everything,  // without it heddled does not start
  feature,     // without it something is missing, which `lost` names
  speed,       // without it things work, slower
};

struct Probe {
  std::string name;  // "vxlan"
  Need need = Need::feature;
  bool present = false;
  std::string detail;  // the version or place found; if absent, why
  std::string lost;    // what does not work without it
};

struct Probes {
  std::vector<Probe> all;
  std::string kernel;   // 6.1.0-26-amd64
  std::string cgroup2;  // where it is mounted; empty: nowhere

  const Probe* find(std::string_view name) const;
  bool has(std::string_view name) const;

  // `unsupported` (or `denied`, without the privileges) naming everything that is missing of
  // Need::everything.
  Result<> usable() const;
};

// Takes about 50 ms; blocks. Leaves nothing behind. Never fails for a missing feature.
// Errors: `exhausted` when no thread can be started.
Result<Probes> probe();

}  // namespace heddle::probe
