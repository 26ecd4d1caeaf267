#include "proxy/balance/picker.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace heddle::balance {
namespace {

constexpr double kOverprovisioned = 1.4;
constexpr double kLeastShare = 0.1;  // of its weight, that a target begins with
constexpr int kDraws = 6;
constexpr int kProbes = 8;

bool is_tried(const Load& load, const Choice& choice) {
  return std::ranges::find(choice.tried, &load) != choice.tried.end();
}

bool is_later(const Load* a, const Load* b) {
  return a->turn > b->turn;
}

std::uint64_t mixed(std::uint64_t value) {
  return Random(value).next();
}

// Soonest good again first.
Load* least_bad(std::span<Load* const> all, const Choice& choice) {
  Load* best = nullptr;
  for (Load* load : all) {
    if (!load->ready || is_tried(*load, choice)) continue;
    if (!best || load->failing_until < best->failing_until) best = load;
  }
  return best;
}

// Rendezvous hashing with weights: -w / ln(u) is greatest for each in proportion to its weight.
double rendezvous(const Load& load, std::uint64_t hash) {
  const double unit = (static_cast<double>(mixed(load.key ^ mixed(hash)) >> 11) + 0.5) * 0x1p-53;
  return -static_cast<double>(load.weight) / std::log(unit);
}

}  // namespace

void Picker::assign(std::span<Load* const> all) {
  std::map<std::uint32_t, Level> levels;
  for (Load* load : all) {
    if (!load->ready) continue;
    Level& level = levels[load->level];
    level.number = load->level;
    level.members.push_back(load);
    level.most_weight = std::max(level.most_weight, load->weight);
    // Who is new begins somewhere in its first turn, so that proxies that start together do not
    // all begin with the same; who was away has not saved turns up.
    if (load->turn < time_) {
      const double unit = static_cast<double>(random_.below(1 << 20)) / (1 << 20);
      load->turn = time_ + unit / load->weight;
    }
  }
  levels_.clear();
  for (auto& [number, level] : levels) {
    if (policy_.algorithm == Algorithm::round_robin) {
      level.turns = level.members;
      std::ranges::make_heap(level.turns, is_later);
    }
    if (policy_.algorithm == Algorithm::ring_hash) level.ring.build(level.members);
    if (policy_.algorithm == Algorithm::maglev) level.maglev.build(level.members);
    levels_.push_back(std::move(level));
  }
  counted_until_ = Deadline::min();
}

Load* Picker::pick(const Choice& choice) {
  if (levels_.empty()) return nullptr;
  const bool counts = levels_.size() > 1 || policy_.panic_threshold > 0;
  if (counts && choice.now >= counted_until_) count(choice.now);
  const std::size_t first = levels_.size() > 1 ? choose_level(choice) : 0;
  // When nobody is well, those that could be connected to lately are asked as if they were.
  for (const bool all : {false, true}) {
    takes_all_ = all;
    if (Load* load = from(levels_[first], choice)) return load;
    for (std::size_t i = 0; i < levels_.size(); ++i) {
      if (i == first) continue;
      if (Load* load = from(levels_[i], choice)) return load;
    }
  }
  for (const Level& level : levels_) {
    if (Load* load = least_bad(level.members, choice)) return load;
  }
  return nullptr;
}

void Picker::count(Deadline now) {
  counted_until_ = now + kCensus;
  shares_.assign(levels_.size(), 0);
  double left = 1;
  double sum = 0;
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    Level& level = levels_[i];
    const auto well =
        std::ranges::count_if(level.members, [&](const Load* load) { return load->is_well(now); });
    const double share = static_cast<double>(well) / static_cast<double>(level.members.size());
    level.panics = share < policy_.panic_threshold;
    shares_[i] = std::min(left, share * kOverprovisioned);
    left -= shares_[i];
    sum += shares_[i];
  }
  // What nobody can take is spread as the rest is; with nobody at all, the first level has it.
  for (double& share : shares_) share = sum > 0 ? share / sum : 0;
  if (sum <= 0) shares_.front() = 1;
}

// What hashes alike goes to the same level, too.
std::size_t Picker::choose_level(const Choice& choice) {
  if (shares_.front() >= 1) return 0;
  const std::uint64_t drawn = choice.hash ? mixed(~*choice.hash) : random_.next();
  double at = static_cast<double>(drawn >> 11) * 0x1p-53;
  for (std::size_t i = 0; i < shares_.size(); ++i) {
    if (at < shares_[i]) return i;
    at -= shares_[i];
  }
  return 0;
}

Load* Picker::from(Level& level, const Choice& choice) {
  switch (policy_.algorithm) {
    case Algorithm::round_robin:
      return by_turn(level, choice);
    case Algorithm::random:
      return by_weight(level, choice);
    case Algorithm::least_request:
    case Algorithm::peak_ewma:
      return by_load(level, choice);
    case Algorithm::source_hash:
    case Algorithm::ring_hash:
    case Algorithm::maglev:
      return choice.hash ? by_hash(level, choice) : by_weight(level, choice);
  }
  return nullptr;
}

bool Picker::is_good(const Level& level, const Load& load, const Choice& choice) const {
  if (is_tried(load, choice)) return false;
  if (level.panics) return load.ready;
  if (takes_all_) return load.ready && load.failing_until <= choice.now;
  return load.is_well(choice.now);
}

double Picker::weight_of(const Load& load, Deadline now) const {
  const double whole = load.weight;
  if (policy_.slow_start.count() == 0) return whole;
  // Whoever was there when the group began does not start slowly.
  if (load.ready_since == Deadline::min() || now >= load.ready_since + policy_.slow_start) {
    return whole;
  }
  const double share = std::chrono::duration<double>(now - load.ready_since) /
                       std::chrono::duration<double>(policy_.slow_start);
  return whole * std::max(kLeastShare, share);
}

// Earliest deadline first: who was chosen is next after a time in inverse proportion to its weight.
// Who cannot serve keeps its place, but saves no turns up.
Load* Picker::by_turn(Level& level, const Choice& choice) {
  auto& turns = level.turns;
  Load* chosen = nullptr;
  auto end = turns.end();
  while (!chosen && end != turns.begin()) {
    std::ranges::pop_heap(turns.begin(), end, is_later);
    Load& load = **--end;
    if (is_good(level, load, choice)) chosen = &load;
    time_ = chosen ? std::max(time_, load.turn) : time_;
    load.turn = std::max(load.turn, time_) + (chosen ? 1 / weight_of(load, choice.now) : 0);
  }
  while (end != turns.end()) std::ranges::push_heap(turns.begin(), ++end, is_later);
  return chosen;
}

// Draws until one is taken, with the chance that its weight gives it; then whoever comes first
// after a random place.
Load* Picker::by_weight(Level& level, const Choice& choice) {
  const auto& members = level.members;
  for (int draw = 0; draw < 8 * kDraws; ++draw) {
    Load& load = *members[random_.below(members.size())];
    if (!is_good(level, load, choice)) continue;
    const double chance = weight_of(load, choice.now) / level.most_weight;
    if (static_cast<double>(random_.below(1 << 20)) < chance * (1 << 20)) return &load;
  }
  const std::size_t begin = random_.below(members.size());
  for (std::size_t i = 0; i < members.size(); ++i) {
    Load& load = *members[(begin + i) % members.size()];
    if (is_good(level, load, choice)) return &load;
  }
  return nullptr;
}

double Picker::cost_of(const Load& load, Deadline now) const {
  const double queue = (load.in_flight + 1.0) / weight_of(load, now);
  if (policy_.algorithm == Algorithm::least_request) return queue;
  // Nobody knows how slow one is that has not answered yet: one request finds out.
  constexpr double kUnknownBusy = 1;  // second
  const double latency = load.latency_at(now);
  if (latency == 0 && load.in_flight > 0) return kUnknownBusy * queue;
  return latency * queue;
}

// The better of two random choices (Mitzenmacher 2001). A few draws may hit ones that cannot serve;
// then the best of all.
Load* Picker::by_load(Level& level, const Choice& choice) {
  const auto& members = level.members;
  Load* first = nullptr;
  for (int draw = 0; draw < kDraws; ++draw) {
    Load* load = members[random_.below(members.size())];
    if (load == first || !is_good(level, *load, choice)) continue;
    if (first) {
      return cost_of(*load, choice.now) < cost_of(*first, choice.now) ? load : first;
    }
    first = load;
  }
  Load* best = nullptr;
  double least = 0;
  for (Load* load : members) {
    if (!is_good(level, *load, choice)) continue;
    const double cost = cost_of(*load, choice.now);
    if (best && cost >= least) continue;
    best = load;
    least = cost;
  }
  return best;
}

// A key whose target cannot serve goes to the same other one as long as that lasts; all others stay
// where they are.
Load* Picker::by_hash(Level& level, const Choice& choice) {
  const std::uint64_t hash = mixed(*choice.hash);
  const auto good = [&](const Load& load) { return is_good(level, load, choice); };
  if (policy_.algorithm == Algorithm::ring_hash) return level.ring.find(hash, good);
  if (policy_.algorithm == Algorithm::maglev) {
    std::uint64_t probe = hash;
    for (int i = 0; i < kProbes; ++i, probe = mixed(probe)) {
      Load* load = level.maglev.find(probe);
      if (good(*load)) return load;
    }
  }
  Load* best = nullptr;
  double most = 0;
  for (Load* load : level.members) {
    if (!good(*load)) continue;
    const double score = rendezvous(*load, hash);
    if (best && score <= most) continue;
    best = load;
    most = score;
  }
  return best;
}

}  // namespace heddle::balance
