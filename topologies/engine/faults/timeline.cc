#include "topologies/engine/faults/timeline.h"

#include <algorithm>
#include <sstream>

#include "topologies/engine/faults/chance.h"
#include "topologies/engine/format/targets.h"

namespace heddle::faults {
namespace {

using format::Target;
using Shape = format::fault::Partition::Shape;

std::size_t how_many(Target::How how, std::size_t all) {
  switch (how) {
    case Target::How::one:
      return std::min<std::size_t>(1, all);
    case Target::How::minority:
      return std::min(all, std::max<std::size_t>(1, all == 0 ? 0 : (all - 1) / 2));
    case Target::How::majority:
      return std::min(all, all / 2 + 1);
    case Target::How::named:
    case Target::How::all:
      return all;
  }
  return all;
}

// So many of `all`, chosen, in the order that they had.
std::vector<std::string> choose(const std::vector<std::string>& all, std::size_t count,
                                Chance& chance) {
  std::vector<std::size_t> order(all.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  if (count < all.size()) chance.shuffle(order);
  order.resize(count);
  std::ranges::sort(order);
  std::vector<std::string> out;
  for (const std::size_t index : order) out.push_back(all[index]);
  return out;
}

std::vector<std::string> without(const std::vector<std::string>& all,
                                 const std::vector<std::string>& some) {
  std::vector<std::string> out;
  for (const std::string& name : all) {
    if (std::ranges::find(some, name) == some.end()) out.push_back(name);
  }
  return out;
}

void give_sides(format::fault::Partition& partition, const std::vector<std::string>& members,
                Chance& chance) {
  if (!partition.sides.empty() || members.size() < 2) return;
  std::size_t first = members.size() / 2;
  if (partition.shape == Shape::majority) first = members.size() / 2 + 1;
  if (partition.shape == Shape::isolate) first = 1;
  first = std::min(first, members.size() - 1);
  const auto side = choose(members, first, chance);
  partition.sides = {side, without(members, side)};
  if (partition.shape != Shape::one_way) partition.shape = Shape::sides;
}

std::string joined(const std::vector<std::string>& names, const char* last = " and ") {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i)
    out += (i == 0 ? "" : i + 1 == names.size() ? last : ", ") + names[i];
  return out;
}

std::string signed_time(Milliseconds time) {
  const std::string ms = std::to_string(std::abs(time.count())) + "ms";
  return (time.count() < 0 ? "-" : "") + ms;
}

std::string both_ways(const format::LinkImpairment& impairment) {
  const std::string there = format::describe(impairment.forward);
  const std::string back = format::describe(impairment.backward);
  if (there == back) return there.empty() ? "nothing" : there;
  return (there.empty() ? "nothing" : there) + " there, " + (back.empty() ? "nothing" : back) +
         " back";
}

}  // namespace

Occurrence strike_of(const format::Lab& lab, const format::FaultAction& action, const Target& on,
                     Chance& chance) {
  Occurrence out{.name = "", .action = action, .on = {}};
  const auto all = on.names.empty() ? format::chosen_from(lab, action) : on.names;
  if (auto* partition = std::get_if<format::fault::Partition>(&out.action)) {
    give_sides(*partition, all, chance);
  } else {
    out.on = choose(all, how_many(on.how, all.size()), chance);
  }
  return out;
}

std::vector<Occurrence> expand(const format::Lab& lab, std::uint64_t seed) {
  std::vector<Occurrence> out;
  for (std::size_t i = 0; i < lab.faults.size(); ++i) {
    const format::Fault& fault = lab.faults[i];
    Chance chance(seed, "faults[" + std::to_string(i) + "]");
    auto times = format::fixed_times(fault);
    if (fault.latest) {
      const auto width = static_cast<std::uint64_t>((*fault.latest - fault.at).count());
      times = {fault.at + Milliseconds(static_cast<std::int64_t>(chance.below(width + 1)))};
    }
    for (const Milliseconds at : times) {
      Occurrence occurrence = strike_of(lab, fault.action, fault.on, chance);
      occurrence.name = fault.name;
      occurrence.at = at;
      occurrence.lasts = fault.lasts;
      out.push_back(std::move(occurrence));
    }
  }
  std::ranges::stable_sort(out, {}, &Occurrence::at);
  return out;
}

std::vector<Event> events_of(const std::vector<Occurrence>& occurrences) {
  std::vector<Event> out;
  for (std::size_t i = 0; i < occurrences.size(); ++i) {
    const Occurrence& occurrence = occurrences[i];
    out.push_back({occurrence.at, Event::What::strike, i});
    if (occurrence.lasts) out.push_back({occurrence.at + *occurrence.lasts, Event::What::undo, i});
  }
  std::ranges::stable_sort(out, [](const Event& a, const Event& b) {
    if (a.at != b.at) return a.at < b.at;
    return a.what == Event::What::undo && b.what == Event::What::strike;
  });
  return out;
}

std::string describe(const Occurrence& occurrence) {
  const auto& action = occurrence.action;
  const std::string on = joined(occurrence.on);
  if (const auto* partition = std::get_if<format::fault::Partition>(&action)) {
    std::vector<std::string> sides;
    for (const auto& side : partition->sides) sides.push_back(joined(side, ", "));
    if (partition->shape == Shape::one_way)
      return "nothing passes from " + joined(sides, " to ") + " any more";
    return "partition: " + joined(sides, " | ");
  }
  if (const auto* impair = std::get_if<format::fault::Impair>(&action))
    return "impair " + on + ": " + both_ways(impair->impairment);
  if (const auto* clock = std::get_if<format::fault::ClockStep>(&action))
    return "the clock of " + on + " jumps by " + signed_time(clock->by);
  if (std::holds_alternative<format::fault::DiskFull>(action))
    return "the disk of " + on + " is full";
  return std::string(format::name_of(action)) + " " + on;
}

std::string describe_undo(const Occurrence& occurrence) {
  const std::string_view what = format::name_of(occurrence.action);
  const std::string on = joined(occurrence.on);
  if (what == "kill") return "start " + on;
  if (what == "stop") return "run " + on + " again";
  if (what == "kill-daemon") return "restart-daemon " + on;
  if (what == "pause") return on + " goes on";
  if (what == "cut") return "mend " + on;
  if (what == "impair") return on + " is as it was";
  if (what == "clock") return "the clock of " + on + " jumps back";
  if (what == "disk-full") return "the disk of " + on + " has space again";
  return "the partition heals";
}

format::Fault pinned(const Occurrence& occurrence) {
  return {.name = occurrence.name,
          .action = occurrence.action,
          .on = {.how = Target::How::named, .names = occurrence.on},
          .at = occurrence.at,
          .lasts = occurrence.lasts,
          .mark = {}};
}

format::Lab with_faults(format::Lab lab, const std::vector<Occurrence>& occurrences) {
  lab.faults.clear();
  for (const Occurrence& occurrence : occurrences) lab.faults.push_back(pinned(occurrence));
  return lab;
}

}  // namespace heddle::faults
