#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/base/clock.h"
#include "proxy/balance/hash_ring.h"
#include "proxy/balance/load.h"
#include "proxy/balance/maglev.h"
#include "proxy/balance/random.h"

namespace heddle::balance {

enum class Algorithm {
  round_robin,    // in turn, in proportion to weights
  least_request,  // the less loaded of two
  peak_ewma,      // of two, the one that answers sooner and is less loaded
  random,         // in proportion to weights
  source_hash,    // by highest random weight: no table
  ring_hash,
  maglev,
};

// How a group is balanced.
struct Policy {
  Algorithm algorithm = Algorithm::round_robin;
  std::chrono::milliseconds slow_start{0};  // a target's weight grows to its own over this time
  double panic_threshold = 0;  // with a smaller share of good targets, all are taken for good
  friend bool operator==(const Policy&, const Policy&) = default;
};

// One choice. `hash`: of what shall lead to the same target again, for the last three algorithms.
struct Choice {
  std::span<Load* const> tried;
  Deadline now;
  std::optional<std::uint64_t> hash;
};

// Chooses among ready targets of the lowest level, and of higher ones in the share that the lower
// ones lack: a level is whole as long as 1.4 times its share of good targets is 1 (Envoy's
// priorities). When none is well, those that could be connected to lately are chosen among as if
// they were; ones that could not, only when nothing else is left, the one whose time is nearest
// over first; ones already tried, never.
class Picker {
 public:
  Picker(const Policy& policy, std::uint64_t seed) : policy_(policy), random_(seed) {}

  // The loads to choose among from now on, and again whenever a `ready`, `weight`, `level` or `key`
  // has changed; they live until the next call.
  void assign(std::span<Load* const> all);
  // nullptr when none is left.
  Load* pick(const Choice& choice);

 private:
  struct Level {
    std::uint32_t number = 0;
    std::vector<Load*> members;  // ready when assigned
    std::vector<Load*> turns;    // a heap: the next in turn on top
    std::uint32_t most_weight = 1;
    HashRing ring;
    Maglev maglev;
    bool panics = false;
  };
  // Counting all targets at each choice would cost too much: it is done this often.
  static constexpr std::chrono::milliseconds kCensus{50};

  void count(Deadline now);
  std::size_t choose_level(const Choice& choice);
  Load* from(Level& level, const Choice& choice);
  Load* by_turn(Level& level, const Choice& choice);
  Load* by_weight(Level& level, const Choice& choice);
  Load* by_load(Level& level, const Choice& choice);
  Load* by_hash(Level& level, const Choice& choice);
  bool is_good(const Level& level, const Load& load, const Choice& choice) const;
  double weight_of(const Load& load, Deadline now) const;
  double cost_of(const Load& load, Deadline now) const;

  Policy policy_;
  Random random_;
  std::vector<Level> levels_;   // lowest first
  std::vector<double> shares_;  // of requests, by level; sum 1
  Deadline counted_until_ = Deadline::min();
  double time_ = 0;         // round robin's
  bool takes_all_ = false;  // in this choice: nobody is well
};

}  // namespace heddle::balance
