#include "topologies/engine/faults/ledger.h"

#include <algorithm>

#include "topologies/engine/format/targets.h"

namespace heddle::faults {
namespace {

using control::Op;
using control::Request;
namespace fault = format::fault;

std::vector<control::Severed> severed_by(const fault::Partition& partition) {
  std::vector<control::Severed> out;
  for (std::size_t i = 0; i < partition.sides.size(); ++i) {
    for (std::size_t j = 0; j < partition.sides.size(); ++j) {
      if (i == j || (partition.shape == fault::Partition::Shape::one_way && i > j)) continue;
      for (const std::string& from : partition.sides[i]) {
        for (const std::string& to : partition.sides[j]) out.push_back({from, to});
      }
    }
  }
  return out;
}

}  // namespace

bool Ledger::is_process(const std::string& name) const {
  return !lab_.find_host(name) && !lab_.find_node(name);
}

Ledger::Decision Ledger::strike(Holder holder, const Occurrence& occurrence) {
  Decision out;
  if (const auto* partition = std::get_if<fault::Partition>(&occurrence.action)) {
    partitions_.emplace_back(holder, severed_by(*partition));
    set_partition(out);
    return out;
  }
  for (const std::string& name : occurrence.on) strike_one(holder, occurrence, name, out);
  return out;
}

Ledger::Decision Ledger::undo(Holder holder, const Occurrence& occurrence) {
  Decision out;
  if (std::holds_alternative<fault::Partition>(occurrence.action)) {
    const auto ended =
        std::erase_if(partitions_, [&](const auto& of) { return of.first == holder; });
    if (ended) set_partition(out);
    if (!ended) out.passed_over.push_back("the partition is healed already");
    return out;
  }
  for (const std::string& name : occurrence.on) undo_one(holder, occurrence, name, out);
  return out;
}

void Ledger::strike_one(Holder holder, const Occurrence& occurrence, const std::string& name,
                        Decision& out) {
  const format::FaultAction& action = occurrence.action;
  if (std::holds_alternative<fault::Kill>(action)) return kill(holder, name, out);
  if (std::holds_alternative<fault::Restart>(action)) return restart(name, out);
  if (std::holds_alternative<fault::Stop>(action)) return end_process(holder, name, "TERM", out);
  if (std::holds_alternative<fault::KillDaemon>(action)) return kill_daemon(holder, name, out);
  if (std::holds_alternative<fault::RestartDaemon>(action)) return restart_daemon(name, out);
  if (std::holds_alternative<fault::Pause>(action)) return freeze(holder, name, out);
  if (const auto* clock = std::get_if<fault::ClockStep>(&action))
    return step_clock(name, clock->by, out);
  if (std::holds_alternative<fault::DiskFull>(action)) {
    auto& holders = full_disks_[name];
    if (holders.empty()) out.requests.push_back({.op = Op::fill_disk, .target = name});
    holders.insert(holder);
    return;
  }
  const std::string link = format::link_name(lab_, name);
  if (const auto* impair = std::get_if<fault::Impair>(&action)) {
    links_[link].impairments.emplace_back(holder, impair->impairment);
    return set_impairment(link, out);
  }
  auto& holders = links_[link].cut;
  if (holders.empty()) out.requests.push_back({.op = Op::cut, .target = link});
  holders.insert(holder);
}

void Ledger::undo_one(Holder holder, const Occurrence& occurrence, const std::string& name,
                      Decision& out) {
  const format::FaultAction& action = occurrence.action;
  Member& member = members_[name];
  const bool ends_process = is_process(name) && (std::holds_alternative<fault::Kill>(action) ||
                                                 std::holds_alternative<fault::Stop>(action));
  if (ends_process) {
    if (processes_[name].ended != holder) return;
    processes_[name].ended.reset();
    out.requests.push_back({.op = Op::respawn, .target = name});
  } else if (std::holds_alternative<fault::Kill>(action)) {
    if (member.down == holder) power_up(name, out);
  } else if (std::holds_alternative<fault::KillDaemon>(action)) {
    if (member.without_daemon == holder && !member.down) restart_daemon(name, out);
  } else if (std::holds_alternative<fault::Pause>(action)) {
    auto& holders = is_process(name) ? processes_[name].frozen : member.frozen;
    if (holders.erase(holder) && holders.empty()) thaw(holders, name, out);
  } else if (const auto* clock = std::get_if<fault::ClockStep>(&action)) {
    step_clock(name, -clock->by, out);
  } else if (std::holds_alternative<fault::DiskFull>(action)) {
    auto& holders = full_disks_[name];
    if (holders.erase(holder) && holders.empty())
      out.requests.push_back({.op = Op::free_disk, .target = name});
  } else if (std::holds_alternative<fault::Impair>(action)) {
    const std::string link = format::link_name(lab_, name);
    auto& impairments = links_[link].impairments;
    if (std::erase_if(impairments, [&](const auto& of) { return of.first == holder; }))
      set_impairment(link, out);
  } else if (std::holds_alternative<fault::Cut>(action)) {
    const std::string link = format::link_name(lab_, name);
    auto& holders = links_[link].cut;
    if (holders.erase(holder) && holders.empty())
      out.requests.push_back({.op = Op::mend, .target = link});
  }
}

void Ledger::kill(Holder holder, const std::string& name, Decision& out) {
  if (is_process(name)) return end_process(holder, name, "KILL", out);
  Member& member = members_[name];
  if (member.down) {
    out.passed_over.push_back(name + " is down already");
    return;
  }
  member = {.down = holder, .without_daemon = {}, .frozen = {}};
  out.requests.push_back({.op = Op::kill, .target = name});
}

void Ledger::restart(const std::string& name, Decision& out) {
  if (is_process(name)) {
    processes_[name].ended.reset();
    out.requests.push_back({.op = Op::respawn, .target = name});
    return;
  }
  if (members_[name].down) {
    out.passed_over.push_back(name + " is down; it cannot be restarted");
    return;
  }
  out.requests.push_back({.op = Op::kill, .target = name});
  power_up(name, out);
}

void Ledger::power_up(const std::string& name, Decision& out) {
  members_[name] = {};
  out.requests.push_back({.op = Op::start, .target = name});
}

void Ledger::end_process(Holder holder, const std::string& name, const char* signal,
                         Decision& out) {
  Process& process = processes_[name];
  if (process.ended) {
    out.passed_over.push_back(name + " was ended already");
    return;
  }
  process.ended = holder;
  out.requests.push_back({.op = Op::signal, .target = name, .command = {signal}});
}

void Ledger::freeze(Holder holder, const std::string& name, Decision& out) {
  const bool process = is_process(name);
  if (process ? processes_[name].ended.has_value() : members_[name].down.has_value()) {
    out.passed_over.push_back(name + (process ? " has ended" : " is down") +
                              "; there is nothing to stand still");
    return;
  }
  auto& holders = process ? processes_[name].frozen : members_[name].frozen;
  if (holders.empty()) {
    if (process) out.requests.push_back({.op = Op::signal, .target = name, .command = {"STOP"}});
    if (!process) out.requests.push_back({.op = Op::freeze, .target = name});
  }
  holders.insert(holder);
}

void Ledger::thaw(std::set<Holder>& holders, const std::string& name, Decision& out) {
  holders.clear();
  if (is_process(name)) {
    out.requests.push_back({.op = Op::signal, .target = name, .command = {"CONT"}});
  } else {
    out.requests.push_back({.op = Op::thaw, .target = name});
  }
}

void Ledger::kill_daemon(Holder holder, const std::string& name, Decision& out) {
  Member& member = members_[name];
  if (member.down || member.without_daemon) {
    out.passed_over.push_back(member.down ? name + " is down, and its heddled with it"
                                          : "heddled on " + name + " is dead already");
    return;
  }
  member.without_daemon = holder;
  out.requests.push_back({.op = Op::kill_daemon, .target = name});
}

void Ledger::restart_daemon(const std::string& name, Decision& out) {
  Member& member = members_[name];
  if (member.down || !member.frozen.empty()) {
    out.passed_over.push_back(name + (member.down ? " is down" : " stands still") +
                              "; heddled cannot be restarted");
    return;
  }
  member.without_daemon.reset();
  out.requests.push_back({.op = Op::restart_daemon, .target = name});
}

void Ledger::step_clock(const std::string& name, Milliseconds by, Decision& out) {
  clocks_[name] += by;
  out.requests.push_back({.op = Op::clock, .target = name, .value = clocks_[name].count()});
}

void Ledger::set_impairment(const std::string& link, Decision& out) const {
  Request request{.op = Op::impair, .target = link};  // by itself: what the file says
  if (const auto& impairments = links_.at(link).impairments; !impairments.empty()) {
    request.forward = impairments.back().second.forward;
    request.backward = impairments.back().second.backward;
  }
  out.requests.push_back(std::move(request));
}

void Ledger::set_partition(Decision& out) const {
  std::set<std::pair<std::string, std::string>> all;
  for (const auto& [holder, severed] : partitions_) {
    for (const control::Severed& pair : severed) all.emplace(pair.from, pair.to);
  }
  Request request{.op = Op::partition};
  for (const auto& [from, to] : all) request.severed.push_back({from, to});
  out.requests.push_back(std::move(request));
}

Ledger::Decision Ledger::start(const std::vector<std::string>& names) {
  Decision out;
  for (const std::string& name : names) {
    if (!members_[name].down) {
      out.passed_over.push_back(name + " runs already");
    } else {
      power_up(name, out);
    }
  }
  return out;
}

Ledger::Decision Ledger::mend(const format::MendAction& mend) {
  using What = format::MendAction::What;
  Decision out;
  if (mend.what == What::partition) {
    partitions_.clear();
    set_partition(out);
  }
  for (const std::string& name : mend.names) {
    std::set<Holder>* holders = nullptr;
    const std::string link = format::link_name(lab_, name);
    if (mend.what == What::cut) holders = &links_[link].cut;
    if (mend.what == What::disk) holders = &full_disks_[name];
    if (mend.what == What::freeze)
      holders = is_process(name) ? &processes_[name].frozen : &members_[name].frozen;
    if (!holders) continue;
    if (holders->empty()) {
      out.passed_over.push_back(name + (mend.what == What::cut      ? " is not cut"
                                        : mend.what == What::freeze ? " does not stand still"
                                                                    : " has space on its disk"));
    } else if (mend.what == What::freeze) {
      thaw(*holders, name, out);
    } else {
      holders->clear();
      out.requests.push_back({.op = mend.what == What::cut ? Op::mend : Op::free_disk,
                              .target = mend.what == What::cut ? link : name});
    }
  }
  return out;
}

}  // namespace heddle::faults
