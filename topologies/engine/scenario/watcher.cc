#include "topologies/engine/scenario/watcher.h"

#include <algorithm>

namespace heddle::scenario {
namespace {

using control::Op;
using When = format::Check::When;

// How often a probe is asked what it has seen: soon enough for somebody who watches.
constexpr std::chrono::milliseconds kSoonest{50};
constexpr std::chrono::milliseconds kLatest{250};
// Between tries to start a probe where it cannot run: the place is down.
constexpr std::chrono::milliseconds kAgain{200};

std::string how_it_ended(const control::ExecResult& result) {
  if (result.timed_out) return "did not end in time";
  std::string out = result.signal ? "ended by signal " + std::to_string(result.signal)
                                  : "status " + std::to_string(result.exit);
  std::string said = result.err.empty() ? result.out : result.err;
  said.erase(said.find_last_not_of('\n') + 1);
  const std::string last = said.substr(said.rfind('\n') + 1);
  return last.empty() ? out : out + ": " + last.substr(0, 300);
}

}  // namespace

Watcher::Watcher(const format::Lab& lab, const steps::Variables& variables,
                 steps::LabControl& control, OnChange on_change)
    : control_(control), on_change_(std::move(on_change)) {
  for (std::size_t i = 0; i < lab.checks.size(); ++i) {
    const format::Check& check = lab.checks[i];
    std::vector<std::string> places = check.on;
    if (places.empty()) {  // verify: wherever there is somebody to ask
      for (const format::Host& host : lab.hosts) {
        if (host.daemon) places.push_back(host.name);
      }
    }
    for (const std::string& on : places) {
      const Place place = place_of(on);
      probes_.push_back({.check = check,
                         .on = on,
                         .place = place,
                         .process = "check." + std::to_string(i) + "." + on,
                         .command = probe_command(lab, check, place, variables),
                         .watch = checks::Watch(check)});
    }
  }
}

Watcher::Milliseconds Watcher::since_start(Time time) const {
  return std::chrono::duration_cast<Milliseconds>(time - start_);
}

void Watcher::begin(Time start) {
  start_ = start;
  for (Probe& probe : probes_) {
    probe.wanted = probe.check.when != When::eventually;
    probe.next = start;
  }
}

void Watcher::begin_after() {
  for (Probe& probe : probes_) {
    probe.wanted = probe.check.when == When::eventually;
    probe.next = control_.now();
  }
}

void Watcher::add(Probe& probe, const checks::Look& look) {
  const auto change = probe.watch.add(look);
  if (change == checks::Watch::Change::none) return;
  on_change_({.check = probe.check,
              .place = probe.on,
              .change = change,
              .look = look,
              .watch = probe.watch});
}

void Watcher::launch(Probe& probe) {
  probe.started = control_.now();
  const auto reply = control_.ask({.op = Op::exec,
                                   .target = probe.place.member,
                                   .command = probe.command.words,
                                   .background = probe.process,
                                   .network_only = probe.command.network_only});
  if (!reply) {  // nothing can be seen from there
    const Milliseconds at = since_start(probe.started);
    add(probe, {.from = at, .to = at, .held = false, .problem = reply.error().text()});
    probe.next = probe.started + std::max(kAgain, probe.check.every);
    return;
  }
  probe.runs = true;
  probe.read_bytes = 0;
  probe.rest.clear();
  probe.next = probe.started + (probe.command.lasting ? kSoonest : Milliseconds(10));
}

void Watcher::poll() {
  for (std::size_t i = 0; i < probes_.size(); ++i) {
    const std::size_t turn = (cursor_ + i) % probes_.size();
    Probe& probe = probes_[turn];
    if (!probe.wanted || control_.now() < probe.next) continue;
    if (!probe.runs) {
      launch(probe);
      cursor_ = (turn + 1) % probes_.size();
      return;
    }
    ask(probe);
    if (probe.watch.settled() && probe.check.when == When::eventually) halt(probe);
  }
}

void Watcher::ask(Probe& probe) {
  const auto reply = control_.ask({.op = Op::peek,
                                   .target = probe.process,
                                   .value = static_cast<std::int64_t>(probe.read_bytes)});
  if (!reply || !reply->result) {
    probe.runs = false;
  } else if (probe.command.lasting) {
    read_lasting(probe, *reply->result);
  } else {
    read_single(probe, *reply->result);
  }
}

void Watcher::read_lasting(Probe& probe, const control::ExecResult& result) {
  probe.read_bytes = result.printed_bytes;
  probe.rest += result.out;
  for (std::size_t end; (end = probe.rest.find('\n')) != std::string::npos;) {
    const auto line = read_probe_line(probe.rest.substr(0, end));
    probe.rest.erase(0, end + 1);
    if (!line) continue;
    add(probe, {.from = since_start(Time(line->from)),
                .to = since_start(Time(line->to)),
                .held = line->held,
                .problem = line->problem});
  }
  probe.next = control_.now() + std::clamp(probe.check.every, kSoonest, kLatest);
  if (!result.running) ended(probe, result);
}

// Its place was killed, or it can never look: said as a look, and tried again.
void Watcher::ended(Probe& probe, const control::ExecResult& result) {
  const Milliseconds at = since_start(control_.now());
  add(probe,
      {.from = at, .to = at, .held = false, .problem = "the probe: " + how_it_ended(result)});
  probe.runs = false;
  probe.next = control_.now() + std::max(kAgain, probe.check.every);
}

void Watcher::read_single(Probe& probe, const control::ExecResult& peeked) {
  const Time now = control_.now();
  const bool late = now >= probe.started + probe.check.timeout;
  if (peeked.running && !late) {
    probe.next = now + Milliseconds(20);
    return;
  }
  // Takes its result, and ends it where it still runs.
  const auto reply = control_.ask({.op = Op::await,
                                   .target = probe.process,
                                   .timeout = Milliseconds(peeked.running ? 0 : 1000)});
  const control::ExecResult result = reply && reply->result ? *reply->result : peeked;
  const Milliseconds from = since_start(probe.started);
  const Milliseconds took = peeked.running ? probe.check.timeout : result.time;
  const bool held = !peeked.running && result.exit == 0 && took <= probe.check.timeout;
  add(probe,
      {.from = from, .to = from + took, .held = held, .problem = held ? "" : how_it_ended(result)});
  probe.runs = false;
  probe.next = std::max(now, probe.started + probe.check.every);
}

void Watcher::halt(Probe& probe) {
  probe.wanted = false;
  if (!std::exchange(probe.runs, false)) return;
  // Its place may have gone with it.
  (void)control_.ask({.op = Op::await, .target = probe.process, .timeout = Milliseconds(0)});
}

void Watcher::end(Milliseconds at) {
  end_ = at;
  for (Probe& probe : probes_) {
    if (probe.check.when != When::eventually) halt(probe);
    probe.watch.end(at);
  }
}

void Watcher::stop() {
  for (Probe& probe : probes_) halt(probe);
}

bool Watcher::all_looked_since(Milliseconds time) const {
  return std::ranges::all_of(probes_, [&](const Probe& probe) {
    return probe.check.when == When::eventually || probe.watch.looked_since(time);
  });
}

bool Watcher::all_settled() const {
  const Milliseconds now = since_start(control_.now());
  return std::ranges::all_of(probes_, [&](const Probe& probe) {
    return probe.check.when != When::eventually || probe.watch.settled() ||
           now > end_ + probe.check.within + probe.check.timeout + kLatest ||
           (now > end_ + probe.check.within && probe.watch.looked_since(end_ + probe.check.within));
  });
}

Watcher::Milliseconds Watcher::longest_look() const {
  Milliseconds longest{0};
  for (const Probe& probe : probes_)
    longest = std::max(longest, probe.check.every + probe.check.timeout + kLatest);
  return longest;
}

std::vector<Watcher::Result> Watcher::results() const {
  std::vector<Result> out;
  for (const Probe& probe : probes_)
    out.push_back({.check = probe.check, .place = probe.on, .verdict = probe.watch.verdict()});
  return out;
}

}  // namespace heddle::scenario
