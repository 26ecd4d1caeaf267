#pragma once
#include <cstdint>

#include "common/base/result.h"
#include "tests/bpf/support/frame.h"

namespace heddle::testing {

// What a tc program did to one frame that arrived on the namespace's loopback (interface index 1).
struct Ran {
  int verdict = 0;
  Bytes frame;
};
inline constexpr int kPass = -1;     // TC_ACT_UNSPEC: to the next filter, then the stack
inline constexpr int kDrop = 2;      // TC_ACT_SHOT
inline constexpr int kRedirect = 7;  // TC_ACT_REDIRECT

Result<Ran> run_tc(int program_fd, const Bytes& frame);

}  // namespace heddle::testing
