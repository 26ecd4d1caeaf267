#include "topologies/engine/checks/watch.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace heddle::checks {
namespace {

using When = format::Check::When;

std::string count(std::size_t number, const char* what) {
  return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

}  // namespace

std::string format_time(Milliseconds time) {
  std::array<char, 32> buffer;
  std::snprintf(buffer.data(), buffer.size(), "%.3f s", static_cast<double>(time.count()) / 1000);
  return buffer.data();
}

bool Watch::counts(const Look& look) const {
  const bool after = end_ && look.from >= *end_;
  return (check_.when == When::eventually) == after;
}

Watch::Change Watch::add(const Look& look) {
  if (!counts(look)) return Change::none;
  ++looks_;
  last_from_ = std::max(last_from_.value_or(look.from), look.from);
  if (!look.held) last_problem_ = look.problem;
  if (look.held && !first_held_) {
    first_held_ = look;
    if (check_.when == When::eventually || check_.when == When::sometimes) return Change::held;
  }
  if (check_.when == When::eventually || check_.when == When::sometimes) return Change::none;
  const bool breaks = look.held == (check_.when == When::never);
  const bool broke_now = breaks && !broken_now_;
  const bool recovered = !breaks && broken_now_;
  broken_now_ = breaks;
  if (!breaks) return recovered ? Change::recovered : Change::none;
  ++broken_;
  if (broke_now && outages_.size() == kMaxOutages) ++more_outages_;
  if (broke_now && outages_.size() < kMaxOutages)
    outages_.push_back({.from = look.from, .to = look.to, .looks = 0, .problem = look.problem});
  if (more_outages_ == 0) {
    outages_.back().to = look.to;
    ++outages_.back().looks;
  }
  return broke_now ? Change::broke : Change::none;
}

bool Watch::settled() const {
  return (check_.when == When::eventually || check_.when == When::sometimes) &&
         first_held_.has_value();
}

Verdict Watch::of_outages() const {
  Verdict out{.passed = broken_ == 0 && looks_ > 0,
              .text = count(looks_, "look"),
              .looks = looks_,
              .broken = broken_,
              .outages = outages_};
  if (looks_ == 0) out.text = "no look was made";
  if (broken_ == 0) return out;
  const Outage& first = outages_.front();
  const bool never = check_.when == When::never;
  out.text = std::to_string(broken_) + " of " + count(looks_, "look") +
             (never ? " held, which none may" : " failed") + ", first at " +
             format_time(first.from) + (never || first.problem.empty() ? "" : ": " + first.problem);
  return out;
}

Verdict Watch::verdict() const {
  if (check_.when == When::always || check_.when == When::never) return of_outages();
  Verdict out{
      .passed = first_held_.has_value(), .text = "", .looks = looks_, .broken = 0, .outages = {}};
  const Milliseconds end = end_.value_or(Milliseconds{0});
  const bool after = check_.when == When::eventually;
  if (first_held_) {
    out.text = after ? "held " + format_time(first_held_->to - end) + " after the end"
                     : "held at " + format_time(first_held_->from);
    if (after && first_held_->to - end > check_.within) {
      out.passed = false;
      out.text += ", not within " + format_time(check_.within);
    }
    return out;
  }
  out.text = looks_ == 0 ? "no look was made" : "held at none of " + count(looks_, "look");
  if (after) out.text += " within " + format_time(check_.within) + " after the end";
  if (!last_problem_.empty()) out.text += "; the last: " + last_problem_;
  return out;
}

}  // namespace heddle::checks
