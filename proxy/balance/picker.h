#pragma once
#include <cstdint>
#include <span>

#include "common/base/clock.h"
#include "proxy/balance/random.h"

namespace heddle::balance {

// What a choice looks at. Lives in the target; one core owns it.
struct Load {
  std::uint32_t weight = 1;
  std::uint32_t in_flight = 0;
  bool ready = true;                         // takes new requests
  Deadline failing_until = Deadline::min();  // a connect failed: last choice until then
  std::int64_t turn = 0;                     // smooth weighted round robin's running value
};

enum class Algorithm { round_robin, least_request };

// Chooses among ready targets. Ones that failed lately are chosen only when nothing else is left,
// the one whose time is nearest over first; ones already tried, never. nullptr when none is left.
class Picker {
 public:
  Picker(Algorithm algorithm, std::uint64_t seed) : algorithm_(algorithm), random_(seed) {}

  Load* pick(std::span<Load* const> all, std::span<Load* const> tried, Deadline now);

 private:
  Load* by_turn(std::span<Load* const> all, std::span<Load* const> tried, Deadline now);
  Load* by_load(std::span<Load* const> all, std::span<Load* const> tried, Deadline now);

  Algorithm algorithm_;
  Random random_;
};

}  // namespace heddle::balance
