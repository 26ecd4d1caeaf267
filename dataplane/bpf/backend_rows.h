#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/intent/host_state.h"

namespace heddle::bpf {

// A service's backends as its list holds them: first those that calls go to in turn, each as often
// as its weight has it and as evenly spread as can be, then one row for each other.
// Pure: equal backends give equal rows.
struct BackendRows {
  std::vector<dataplane::BackendAddress> rows;
  std::uint32_t ready = 0;  // of them
};
BackendRows rows_of(const std::vector<dataplane::BackendAddress>& backends);

}  // namespace heddle::bpf
