#include "proxy/balance/picker.h"

#include <algorithm>

namespace heddle::balance {
namespace {

bool is_tried(const Load* load, std::span<Load* const> tried) {
  return std::ranges::find(tried, load) != tried.end();
}

bool is_good(const Load* load, std::span<Load* const> tried, Deadline now) {
  return load->ready && load->failing_until <= now && !is_tried(load, tried);
}

// Compares in_flight per weight without dividing; one more request each.
bool is_lighter(const Load& a, const Load& b) {
  return (std::uint64_t{a.in_flight} + 1) * b.weight < (std::uint64_t{b.in_flight} + 1) * a.weight;
}

Load* least_bad(std::span<Load* const> all, std::span<Load* const> tried) {
  Load* best = nullptr;
  for (Load* load : all) {
    if (!load->ready || is_tried(load, tried)) continue;
    if (!best || load->failing_until < best->failing_until) best = load;
  }
  return best;
}

}  // namespace

Load* Picker::pick(std::span<Load* const> all, std::span<Load* const> tried, Deadline now) {
  Load* chosen =
      algorithm_ == Algorithm::round_robin ? by_turn(all, tried, now) : by_load(all, tried, now);
  return chosen ? chosen : least_bad(all, tried);
}

// Smooth weighted round robin: everyone gains its weight, the richest is chosen and pays the sum.
Load* Picker::by_turn(std::span<Load* const> all, std::span<Load* const> tried, Deadline now) {
  Load* best = nullptr;
  std::int64_t sum = 0;
  for (Load* load : all) {
    if (!is_good(load, tried, now)) continue;
    load->turn += load->weight;
    sum += load->weight;
    if (!best || load->turn > best->turn) best = load;
  }
  if (best) best->turn -= sum;
  return best;
}

// The less loaded of two random choices (Mitzenmacher 2001). A few draws may hit ones that cannot
// serve; then the least loaded of all.
Load* Picker::by_load(std::span<Load* const> all, std::span<Load* const> tried, Deadline now) {
  if (all.empty()) return nullptr;
  Load* first = nullptr;
  for (int draw = 0; draw < 6; ++draw) {
    Load* load = all[random_.below(all.size())];
    if (load == first || !is_good(load, tried, now)) continue;
    if (first) return is_lighter(*load, *first) ? load : first;
    first = load;
  }
  Load* best = nullptr;
  for (Load* load : all) {
    if (!is_good(load, tried, now)) continue;
    if (!best || is_lighter(*load, *best)) best = load;
  }
  return best;
}

}  // namespace heddle::balance
