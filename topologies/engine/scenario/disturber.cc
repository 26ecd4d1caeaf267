#include "topologies/engine/scenario/disturber.h"

#include "topologies/engine/faults/chance.h"

namespace heddle::scenario {
namespace {

std::vector<std::string> both(Disturber::Done done) {
  std::vector<std::string> out = std::move(done.problems);
  out.insert(out.end(), done.passed_over.begin(), done.passed_over.end());
  return out;
}

}  // namespace

Disturber::Done Disturber::carry_out(faults::Ledger::Decision decision) {
  Done done{.passed_over = std::move(decision.passed_over), .problems = {}};
  for (const control::Request& request : decision.requests) {
    const auto reply = control_.ask(request);
    if (reply) continue;
    // Somebody was first: a process that ended by itself, a step's own command.
    const bool moot = reply.error().code() == Errc::conflict;
    if (reply.error().code() == Errc::unsupported) missing_.push_back(reply.error().text());
    (moot ? done.passed_over : done.problems).push_back(reply.error().text());
  }
  return done;
}

Disturber::Done Disturber::strike(faults::Holder holder, const faults::Occurrence& occurrence) {
  const std::lock_guard lock(mutex_);
  return carry_out(ledger_.strike(holder, occurrence));
}

Disturber::Done Disturber::undo(faults::Holder holder, const faults::Occurrence& occurrence) {
  const std::lock_guard lock(mutex_);
  return carry_out(ledger_.undo(holder, occurrence));
}

std::vector<std::string> Disturber::strike_now(const format::FaultAction& action,
                                               const format::Target& on) {
  const std::lock_guard lock(mutex_);
  const faults::Holder holder = next_step_++;
  faults::Chance chance(seed_, "step " + std::to_string(holder));
  return both(carry_out(ledger_.strike(holder, faults::strike_of(lab_, action, on, chance))));
}

std::vector<std::string> Disturber::start(const std::vector<std::string>& names) {
  const std::lock_guard lock(mutex_);
  return both(carry_out(ledger_.start(names)));
}

std::vector<std::string> Disturber::mend(const format::MendAction& action) {
  const std::lock_guard lock(mutex_);
  return both(carry_out(ledger_.mend(action)));
}

}  // namespace heddle::scenario
