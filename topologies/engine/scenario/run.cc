#include "topologies/engine/scenario/run.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "topologies/engine/scenario/disturber.h"
#include "topologies/engine/scenario/watcher.h"

namespace heddle::scenario {
namespace {

using Change = checks::Watch::Change;
using When = format::Check::When;

constexpr Milliseconds kTick{10};
// A fault that strikes later than this is said to.
constexpr Milliseconds kPunctual{100};

std::string when_of(const format::Check& check) {
  switch (check.when) {
    case When::eventually:
      return "eventually within " + checks::format_time(check.within);
    case When::always:
      return "always";
    case When::never:
      return "never";
    case When::sometimes:
      return "sometimes";
  }
  return "";
}

// Whom a fault hits: of a partition, who is on its sides.
std::vector<std::string> hit_by(const faults::Occurrence& occurrence) {
  const auto* partition = std::get_if<format::fault::Partition>(&occurrence.action);
  if (!partition) return occurrence.on;
  std::vector<std::string> out;
  for (const auto& side : partition->sides) out.insert(out.end(), side.begin(), side.end());
  return out;
}

std::string about(const Watcher::Told& told) {
  const std::string what = told.check.name + " (" + told.place + ")";
  if (told.change == Change::held) return what + " holds";
  const bool never = told.check.when == When::never;
  if (told.change == Change::broke)
    return what + (never ? " holds, which it never may" : ": " + told.look.problem);
  const checks::Outage& last = told.watch.outages().back();
  return what + (never ? " holds no more" : " holds again") + ", after " +
         std::to_string(last.looks) + (last.looks == 1 ? " look and " : " looks and ") +
         checks::format_time(last.to - last.from);
}

// The timeline: strikes and ends at their times, looks beside them.
class Timeline {
 public:
  Timeline(const format::Lab& lab, const Settings& settings, steps::LabControl& control,
           Disturber& disturber, Listener& listener, Report& report)
      : lab_(lab),
        settings_(settings),
        control_(control),
        disturber_(disturber),
        listener_(listener),
        report_(report),
        events_(faults::events_of(report.occurrences)) {}

  // Until all is over: events, looks after the last of them, and what has to hold eventually.
  // `may_end`: beside steps, the one that waits for it has been reached. `abandoned`: nobody will.
  void run(const steps::Variables& variables, const std::atomic<bool>& may_end,
           const std::atomic<bool>& abandoned) {
    Watcher watcher(lab_, variables, control_, [this](const Watcher::Told& told) { tell(told); });
    start_ = control_.now();
    settings_.take_worst_stall();
    tell(Entry::What::began, "the timeline begins, seed " + std::to_string(settings_.seed));
    watcher.begin(start_);
    watch_events(watcher, may_end, abandoned);
    report_.lasted = elapsed();
    watcher.end(report_.lasted);
    tell(Entry::What::ended, "the timeline ends");
    watcher.begin_after();
    while (!watcher.all_settled() && !abandoned) {
      watcher.poll();
      control_.pause(kTick);
    }
    watcher.stop();
    judge_fidelity();
    for (const Watcher::Result& result : watcher.results())
      report_.checks.push_back({.name = result.check.name,
                                .place = result.place,
                                .when = when_of(result.check),
                                .verdict = result.verdict});
  }

 private:
  Milliseconds elapsed() const {
    return std::chrono::duration_cast<Milliseconds>(control_.now() - start_);
  }

  void watch_events(Watcher& watcher, const std::atomic<bool>& may_end,
                    const std::atomic<bool>& abandoned) {
    std::size_t next = 0;
    std::optional<Milliseconds> looks_since;
    while (!abandoned) {
      for (; next < events_.size() && events_[next].at <= elapsed(); ++next) happen(events_[next]);
      watcher.poll();
      if (next == events_.size() && may_end) {
        // Each check sees the lab once as the last event, or step, left it.
        if (!looks_since) looks_since = elapsed();
        if (watcher.all_looked_since(*looks_since) ||
            elapsed() > *looks_since + 2 * watcher.longest_look())
          return;
      }
      control_.pause(kTick);
    }
  }

  void happen(const faults::Event& event) {
    const faults::Occurrence& occurrence = report_.occurrences[event.occurrence];
    const bool strikes = event.what == faults::Event::What::strike;
    const Milliseconds late = elapsed() - event.at;
    std::string text = strikes ? faults::describe(occurrence) : faults::describe_undo(occurrence);
    if (strikes && !occurrence.name.empty()) text = occurrence.name + ": " + text;
    if (late > kPunctual) text += "   (" + checks::format_time(late) + " late)";
    const auto entry = [&](Entry::What what, const std::string& said) {
      tell({.what = what,
            .at = elapsed(),
            .text = said,
            .on = hit_by(occurrence),
            .fault = std::string(format::name_of(occurrence.action))});
    };
    entry(strikes ? Entry::What::fault : Entry::What::undo, text);
    const auto done = strikes ? disturber_.strike(event.occurrence, occurrence)
                              : disturber_.undo(event.occurrence, occurrence);
    for (const std::string& why : done.passed_over) entry(Entry::What::passed_over, why);
    for (const std::string& problem : done.problems) {
      entry(Entry::What::problem, problem);
      report_.problems.push_back(problem);
    }
  }

  void tell(const Watcher::Told& told) {
    Entry::What what = Entry::What::held;
    if (told.change == Change::broke) what = Entry::What::broke;
    if (told.change == Change::recovered) what = Entry::What::recovered;
    tell({.what = what,
          .at = told.look.from,
          .text = about(told),
          .on = {place_of(told.place).member}});
  }
  void tell(Entry::What what, const std::string& text) {
    tell({.what = what, .at = elapsed(), .text = text});
  }
  void tell(Entry entry) {
    report_.entries.push_back(std::move(entry));
    listener_.happened(report_.entries.back());
  }

  void judge_fidelity() {
    Fidelity& fidelity = report_.fidelity;
    fidelity.worst_stall = settings_.take_worst_stall();
    if (fidelity.worst_stall > lab_.fidelity.max_stall)
      fidelity.broken.push_back(
          "a thread had to wait " + checks::format_time(fidelity.worst_stall) +
          " for a CPU, more than max-stall, " + checks::format_time(lab_.fidelity.max_stall));
    const auto reply = control_.ask({.op = control::Op::inspect});
    if (!reply || !reply->status || !reply->status->fidelity.relay) return;
    const control::Fidelity& relay = reply->status->fidelity;
    fidelity.worst_delay_error = relay.late_p99;
    if (relay.late_p99 > lab_.fidelity.max_delay_error)
      fidelity.broken.push_back("one packet in a hundred left a link " +
                                std::to_string(relay.late_p99.count()) +
                                " us later than it should, more than max-delay-error, " +
                                checks::format_time(lab_.fidelity.max_delay_error));
    if (relay.overrun > 0)
      fidelity.broken.push_back("links lost " + std::to_string(relay.overrun) +
                                " packets that they were to delay");
  }

  const format::Lab& lab_;
  const Settings& settings_;
  steps::LabControl& control_;
  Disturber& disturber_;
  Listener& listener_;
  Report& report_;
  const std::vector<faults::Event> events_;
  std::chrono::steady_clock::time_point start_{};
};

// What steps ask for: faults at once, and when the timeline begins.
class Director final : public steps::Disturbances {
 public:
  Director(const format::Lab& lab, const Settings& settings, steps::LabControl& control,
           Listener& listener, Report& report)
      : lab_(lab),
        settings_(settings),
        control_(control),
        report_(report),
        run_start_(control.now()),
        disturber_(lab, settings.seed, control),
        timeline_(lab, settings, control, disturber_, listener, report) {}
  ~Director() override { end(); }
  // Nobody waits for the timeline any more.
  void end() {
    abandoned_ = true;
    if (thread_.joinable()) thread_.join();
  }
  const std::vector<std::string>& missing() const { return disturber_.missing(); }

  Problems strike(const format::FaultAction& action, const format::Target& on) override {
    return disturber_.strike_now(action, on);
  }
  Problems start(const std::vector<std::string>& names) override { return disturber_.start(names); }
  Problems mend(const format::MendAction& action) override { return disturber_.mend(action); }

  Problems timeline(format::TimelineAction::What what, const steps::Variables& variables) override {
    using What = format::TimelineAction::What;
    if (what != What::await) begin();
    if (what == What::run) {
      may_end_ = true;
      timeline_.run(variables, may_end_, abandoned_);
    }
    if (what == What::start)
      thread_ = std::thread([this, variables] { timeline_.run(variables, may_end_, abandoned_); });
    if (what == What::await) await();
    return what == What::start ? Problems{} : broken();
  }

  // After the last step: what no step asked for.
  void finish(const steps::Variables& variables) {
    if (thread_.joinable()) return await();
    const bool something = !lab_.faults.empty() || !lab_.checks.empty();
    if (something && !report_.began) (void)timeline(format::TimelineAction::What::run, variables);
  }

 private:
  void begin() {
    report_.began = std::chrono::duration_cast<Milliseconds>(control_.now() - run_start_);
  }
  void await() {
    may_end_ = true;
    if (thread_.joinable()) thread_.join();
  }
  // Steps after it would judge a lab that is not what they expect.
  Problems broken() const {
    Problems out = report_.problems;
    for (const CheckReport& check : report_.checks) {
      if (!check.verdict.passed)
        out.push_back(check.name + " (" + check.place + "): " + check.verdict.text);
    }
    return out;
  }

  const format::Lab& lab_;
  const Settings& settings_;
  steps::LabControl& control_;
  Report& report_;
  const std::chrono::steady_clock::time_point run_start_;
  Disturber disturber_;
  Timeline timeline_;
  std::atomic<bool> may_end_{false};
  std::atomic<bool> abandoned_{false};
  std::thread thread_;
};

}  // namespace

std::string_view name_of(Entry::What what) {
  switch (what) {
    case Entry::What::began:
      return "began";
    case Entry::What::fault:
      return "fault";
    case Entry::What::undo:
      return "undo";
    case Entry::What::passed_over:
      return "passed over";
    case Entry::What::problem:
      return "problem";
    case Entry::What::broke:
      return "broke";
    case Entry::What::recovered:
      return "recovered";
    case Entry::What::held:
      return "held";
    case Entry::What::ended:
      return "ended";
  }
  return "";
}

std::string Report::failure() const {
  for (const CheckReport& check : checks) {
    if (!check.verdict.passed) return "check " + check.name;
  }
  if (!problems.empty()) return "a fault";
  if (!steps.passed && !steps.steps.empty()) return "step " + steps.steps.back().name;
  return "";
}

Report run(const format::Lab& lab, Settings settings, steps::LabControl& control,
           Listener& listener) {
  Report report;
  report.lab = lab.name;
  report.seed = settings.seed;
  report.occurrences = faults::expand(lab, settings.seed);
  const auto start = control.now();
  {
    Director director(lab, settings, control, listener, report);
    report.steps = steps::run_steps(lab, settings.variables, control, director, listener);
    if (report.steps.passed) director.finish(report.steps.variables);
    director.end();
    report.missing = director.missing();
  }
  report.time = std::chrono::duration_cast<Milliseconds>(control.now() - start);
  report.held = report.steps.passed && report.problems.empty() &&
                std::ranges::all_of(report.checks,
                                    [](const CheckReport& check) { return check.verdict.passed; });
  return report;
}

}  // namespace heddle::scenario
