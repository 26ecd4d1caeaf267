#pragma once
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "topologies/engine/format/checks.h"

// What looks say of a check. Pure: times are given, and count from the timeline's start.
namespace heddle::checks {

using Milliseconds = std::chrono::milliseconds;

struct Look {
  Milliseconds from{0};
  Milliseconds to{0};
  bool held = false;
  std::string problem;  // of one that did not hold
};

// Looks in a row that broke the check: did not hold of `always`, held of `never`.
struct Outage {
  Milliseconds from{0};  // the first one's begin
  Milliseconds to{0};    // the last one's end
  std::size_t looks = 0;
  std::string problem;  // of the first
};

struct Verdict {
  bool passed = false;
  std::string text;  // why, or on what ground
  std::size_t looks = 0;
  std::size_t broken = 0;
  std::vector<Outage> outages;  // the first kMaxOutages
};

// One check from one place.
class Watch final {
 public:
  static constexpr std::size_t kMaxOutages = 100;

  explicit Watch(const format::Check& check) : check_(check) {}  // borrowed

  // What a look changed, as far as somebody wants to hear of it. broke, recovered: of `always` and
  // `never`. held: the first of `eventually` and `sometimes`.
  enum class Change { none, broke, recovered, held };
  Change add(const Look& look);

  // The timeline has ended: looks that begin later count for `eventually` only, and those that
  // began before do not count for it.
  void end(Milliseconds at) { end_ = at; }
  // Further looks would not change the verdict.
  bool settled() const;
  bool looked_since(Milliseconds time) const { return last_from_ && *last_from_ >= time; }
  const std::vector<Outage>& outages() const { return outages_; }

  Verdict verdict() const;

 private:
  bool counts(const Look& look) const;
  Verdict of_outages() const;
  const format::Check& check_;
  std::optional<Milliseconds> end_;
  std::optional<Milliseconds> last_from_;
  std::optional<Look> first_held_;
  std::string last_problem_;
  std::vector<Outage> outages_;
  std::size_t more_outages_ = 0;
  bool broken_now_ = false;
  std::size_t looks_ = 0;
  std::size_t broken_ = 0;
};

std::string format_time(Milliseconds time);  // `1.203 s`

}  // namespace heddle::checks
