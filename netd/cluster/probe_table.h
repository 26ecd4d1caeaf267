#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include "netd/cluster/prober.h"

namespace heddle::cluster {

// Which peers answer. No I/O and no clock: times are told, each peer is due once an interval,
// spread over it so that a thousand peers are not one burst.
//
//   state       | answer with its epoch      | `fall` probes unanswered
//   ------------|----------------------------|-------------------------
//   unreachable | reachable after `rise` in a row | unreachable
//   reachable   | reachable                  | unreachable
class ProbeTable {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  explicit ProbeTable(Prober::Settings settings);

  void set_peers(const std::vector<Prober::Peer>& peers, TimePoint now);

  struct Probe {
    IpAddr address;
    std::uint64_t nonce = 0;
  };
  // What to send now; counted as sent.
  std::vector<Probe> take_due(TimePoint now);
  std::optional<TimePoint> next_due() const;  // absent without peers

  struct Answer {
    IpAddr from;
    std::uint64_t nonce = 0;
    std::uint64_t epoch = 0;
  };
  void take(const Answer& answer);

  // The peers that do not answer, when that changed since the last call.
  std::optional<std::set<model::Id>> take_change();

 private:
  struct State {
    Prober::Peer peer;
    TimePoint due;
    std::deque<std::uint64_t> waiting;  // nonces without an answer, oldest first; at most `fall`
    int answers = 0;                    // in a row
    bool reachable = false;
  };

  const Prober::Settings settings_;
  std::mt19937_64 nonces_;  // unguessed by peers that do not see the probes
  std::map<model::Id, State> peers_;
  std::multimap<IpAddr, model::Id> by_address_;
  std::set<model::Id> told_;
  bool moved_ = false;  // somebody's state may have changed since told_
};

}  // namespace heddle::cluster
