#include "netd/cluster/probe_table.h"

#include <algorithm>

#include "netd/cluster/address_plan.h"

namespace heddle::cluster {
namespace {

// Sends are gathered into slots, so that many peers cost few wake-ups.
constexpr std::chrono::milliseconds kSlot{10};

ProbeTable::TimePoint slot_of(ProbeTable::TimePoint time) {
  return std::chrono::ceil<std::chrono::milliseconds>(time - time.time_since_epoch() % kSlot);
}

}  // namespace

ProbeTable::ProbeTable(Prober::Settings settings)
    : settings_(settings), nonces_(std::random_device()()) {}

void ProbeTable::set_peers(const std::vector<Prober::Peer>& peers, TimePoint now) {
  std::map<model::Id, State> next;
  by_address_.clear();
  for (const Prober::Peer& peer : peers) {
    State state;
    const auto known = peers_.find(peer.node);
    const bool same = known != peers_.end() && known->second.peer.address == peer.address &&
                      known->second.peer.epoch == peer.epoch;
    if (same) {
      state = std::move(known->second);
    } else {
      const auto spread = std::chrono::milliseconds(
          stable_hash(peer.node) % static_cast<std::uint64_t>(settings_.interval.count()));
      // A new peer is asked at once and then takes its place in the interval.
      state.due = known == peers_.end() ? now : slot_of(now + spread);
      state.reachable = known == peers_.end() && peer.reachable;
    }
    state.peer = peer;
    by_address_.emplace(peer.address, peer.node);
    next[peer.node] = std::move(state);
  }
  peers_ = std::move(next);
  moved_ = true;
}

std::vector<ProbeTable::Probe> ProbeTable::take_due(TimePoint now) {
  std::vector<Probe> probes;
  for (auto& [id, state] : peers_) {
    if (state.due > now) continue;
    if (state.waiting.size() >= static_cast<std::size_t>(settings_.fall)) {
      moved_ = moved_ || state.reachable;
      state.reachable = false;
      state.answers = 0;
      state.waiting.pop_front();
    }
    const std::uint64_t nonce = nonces_();
    state.waiting.push_back(nonce);
    probes.push_back({state.peer.address, nonce});
    // Kept in step with its place, unless this thread was held up for longer than an interval.
    state.due += settings_.interval;
    if (state.due <= now) state.due = slot_of(now + settings_.interval);
  }
  return probes;
}

std::optional<ProbeTable::TimePoint> ProbeTable::next_due() const {
  std::optional<TimePoint> next;
  for (const auto& [id, state] : peers_) {
    if (!next || state.due < *next) next = state.due;
  }
  return next;
}

void ProbeTable::take(const Answer& answer) {
  const auto [first, last] = by_address_.equal_range(answer.from);
  for (auto it = first; it != last; ++it) {
    State& state = peers_.at(it->second);
    const auto found = std::ranges::find(state.waiting, answer.nonce);
    if (found == state.waiting.end()) continue;
    // An answer with another epoch is none: what is known of the peer is older than its kernel.
    if (answer.epoch != state.peer.epoch || answer.epoch == 0) return;
    // Earlier probes without an answer are lost; later ones may still be on their way.
    if (found != state.waiting.begin()) state.answers = 0;
    state.waiting.erase(state.waiting.begin(), found + 1);
    if (++state.answers < settings_.rise || state.reachable) return;
    state.reachable = true;
    moved_ = true;
    return;
  }
}

std::optional<std::set<model::Id>> ProbeTable::take_change() {
  if (!moved_) return std::nullopt;
  moved_ = false;
  std::set<model::Id> unreachable;
  for (const auto& [id, state] : peers_) {
    if (!state.reachable) unreachable.insert(id);
  }
  if (unreachable == told_) return std::nullopt;
  told_ = unreachable;
  return unreachable;
}

}  // namespace heddle::cluster
