#include "topologies/engine/faults/shrink.h"

#include <algorithm>
#include <set>

namespace heddle::faults {
namespace {

constexpr Milliseconds kShortest{10};

class Shrinker {
 public:
  Shrinker(Occurrences occurrences, const StillFails& still_fails, std::size_t max_runs)
      : best_(std::move(occurrences)), still_fails_(still_fails), max_runs_(max_runs) {}

  Shrunk run() {
    if (!try_out({})) minimize();
    drop_targets();
    shorten();
    return {.occurrences = std::move(best_), .runs = runs_, .whole = !stopped_};
  }

 private:
  // Takes the candidate where it fails too.
  bool try_out(Occurrences candidate) {
    if (stopped_) return false;
    if (!tried_.insert(format_faults(candidate, 0)).second) return false;  // it held
    if (runs_ == max_runs_) {
      stopped_ = true;
      return false;
    }
    ++runs_;
    const auto fails = still_fails_(candidate);
    if (!fails) stopped_ = true;
    if (!fails || !*fails) return false;
    best_ = std::move(candidate);
    return true;
  }

  Occurrences part(std::size_t from, std::size_t to) const {
    return {best_.begin() + static_cast<std::ptrdiff_t>(from),
            best_.begin() + static_cast<std::ptrdiff_t>(to)};
  }
  Occurrences without(std::size_t from, std::size_t to) const {
    Occurrences out = part(0, from);
    const Occurrences rest = part(to, best_.size());
    out.insert(out.end(), rest.begin(), rest.end());
    return out;
  }

  void minimize() {
    std::size_t pieces = 2;
    while (best_.size() > 1 && !stopped_) {
      pieces = std::min(pieces, best_.size());
      if (reduce_to_piece(pieces)) {
        pieces = 2;
      } else if (pieces > 2 && reduce_by_piece(pieces)) {
        pieces = std::max<std::size_t>(2, pieces - 1);
      } else if (pieces == best_.size()) {
        return;
      } else {
        pieces *= 2;
      }
    }
  }

  bool reduce_to_piece(std::size_t pieces) {
    const std::size_t size = best_.size();
    for (std::size_t i = 0; i < pieces; ++i) {
      if (try_out(part(size * i / pieces, size * (i + 1) / pieces))) return true;
    }
    return false;
  }
  bool reduce_by_piece(std::size_t pieces) {
    const std::size_t size = best_.size();
    for (std::size_t i = 0; i < pieces; ++i) {
      if (try_out(without(size * i / pieces, size * (i + 1) / pieces))) return true;
    }
    return false;
  }

  void drop_targets() {
    for (std::size_t i = 0; i < best_.size(); ++i) {
      for (std::size_t target = 0; best_[i].on.size() > 1 && target < best_[i].on.size();) {
        Occurrences candidate = best_;
        candidate[i].on.erase(candidate[i].on.begin() + static_cast<std::ptrdiff_t>(target));
        if (!try_out(std::move(candidate))) ++target;
      }
    }
  }

  // Halves what a fault lasts while that still fails.
  void shorten() {
    for (std::size_t i = 0; i < best_.size(); ++i) {
      while (best_[i].lasts && *best_[i].lasts / 2 >= kShortest) {
        Occurrences candidate = best_;
        *candidate[i].lasts /= 2;
        if (!try_out(std::move(candidate))) break;
      }
    }
  }

  Occurrences best_;
  const StillFails& still_fails_;
  const std::size_t max_runs_;
  std::set<std::string> tried_;
  std::size_t runs_ = 0;
  bool stopped_ = false;
};

}  // namespace

Shrunk shrink(Occurrences occurrences, const StillFails& still_fails, std::size_t max_runs) {
  return Shrinker(std::move(occurrences), still_fails, max_runs).run();
}

}  // namespace heddle::faults
