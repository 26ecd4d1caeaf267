#include <algorithm>

#include "topologies/engine/format/keys.h"
#include "topologies/engine/format/sections.h"

namespace heddle::format {
namespace {

constexpr std::size_t kMaxFaults = 1000;
constexpr std::size_t kMaxStrikes = 1000;
constexpr Milliseconds kShortestPeriod{10};
constexpr Milliseconds kLongestTimeline = std::chrono::hours(1);

std::optional<Target::How> how_of(std::string_view word) {
  if (word == "one") return Target::How::one;
  if (word == "minority") return Target::How::minority;
  if (word == "majority") return Target::How::majority;
  if (word == "all") return Target::How::all;
  return std::nullopt;
}

// `h1`, `[h1, h2]`, `one`, `{one: [h1, h2]}`.
Target read_target(const MapReader& map, std::string_view key, Diagnostics& diagnostics) {
  Target target;
  const YamlNode* value = map.find(key);
  if (!value) {
    map.error(key, "names nobody; give a name, a list of names, one, minority, majority or all");
    return target;
  }
  if (value->kind == YamlNode::Kind::map) {
    const MapReader choice(*value, map.path_of(key), keys::kTarget, diagnostics);
    if (value->entries.size() != 1) {
      map.error(key,
                "must have one key: one, minority, majority or all, with those to choose from");
      return target;
    }
    const std::string& word = value->entries.front().key;
    target.how = how_of(word).value_or(Target::How::one);
    target.names = choice.texts(word);
    if (target.names.empty() && how_of(word)) choice.error(word, "must be a list of names");
    return target;
  }
  target.names = map.texts(key);
  if (value->kind == YamlNode::Kind::scalar) {
    if (const auto how = how_of(value->scalar)) return {.how = *how, .names = {}};
  }
  if (target.names.empty()) map.error(key, "names nobody");
  std::vector<std::string> sorted = target.names;
  std::ranges::sort(sorted);
  if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end())
    map.error(key, "names " + twice->substr(0, 80) + " twice");
  return target;
}

std::vector<std::vector<std::string>> read_sides(const MapReader& map, std::string_view key,
                                                 const YamlNode& list) {
  std::vector<std::vector<std::string>> sides;
  for (const YamlNode& item : list.items) {
    std::vector<std::string> side;
    if (item.kind == YamlNode::Kind::scalar) side.push_back(item.scalar);
    for (const YamlNode& name : item.items) {
      if (name.kind == YamlNode::Kind::scalar) side.push_back(name.scalar);
    }
    if (side.empty()) map.error(key, "each side must be a list of names, such as [[h1], [h2, h3]]");
    sides.push_back(std::move(side));
  }
  if (sides.size() < 2) map.error(key, "needs two sides at least, such as [[h1], [h2, h3]]");
  return sides;
}

fault::Partition read_partition(const MapReader& map, std::string_view key,
                                Diagnostics& diagnostics) {
  using Shape = fault::Partition::Shape;
  const YamlNode* value = map.find(key);
  if (!value) {
    map.error(key, "says no shape: halves, majority, isolate, one-way, or sides [[h1], [h2, h3]]");
    return {};
  }
  if (value->kind == YamlNode::Kind::list)
    return {.shape = Shape::sides, .sides = read_sides(map, key, *value)};
  if (value->kind == YamlNode::Kind::map) {
    const MapReader one_way(*value, map.path_of(key), keys::kOneWay, diagnostics);
    const YamlNode* sides = one_way.find("one-way");
    if (!sides || sides->kind != YamlNode::Kind::list || sides->items.size() != 2) {
      map.error(key, "must be {one-way: [[h1], [h2, h3]]}: from the first side to the second");
      return {};
    }
    return {.shape = Shape::one_way, .sides = read_sides(one_way, "one-way", *sides)};
  }
  const std::string shape = map.text(key).value_or("");
  if (shape == "halves") return {.shape = Shape::halves, .sides = {}};
  if (shape == "majority") return {.shape = Shape::majority, .sides = {}};
  if (shape == "isolate") return {.shape = Shape::isolate, .sides = {}};
  if (shape == "one-way") return {.shape = Shape::one_way, .sides = {}};
  map.error(key, "\"" + shape.substr(0, 40) + "\" is no shape" + suggestion(shape, keys::kShapes));
  return {};
}

ActionOn read_impair(const MapReader& map, std::string_view key, Diagnostics& diagnostics) {
  const YamlNode* value = map.find(key);
  if (!value || value->kind != YamlNode::Kind::map || !value->find("link")) {
    map.error(key, "must be a map of a link and what happens to it: {link: h1, loss: 10%}");
    return {.action = fault::Impair{}, .on = {}};
  }
  YamlNode link;
  link.kind = YamlNode::Kind::map;
  link.mark = value->mark;
  YamlNode rest = link;
  for (const YamlNode::Entry& entry : value->entries)
    (entry.key == "link" ? link : rest).entries.push_back(entry);
  static constexpr auto kLinkKey = std::to_array<std::string_view>({"link"});
  const MapReader of(link, map.path_of(key), kLinkKey, diagnostics);
  return {.action = fault::Impair{read_impairment(rest, map.path_of(key), diagnostics)},
          .on = read_target(of, "link", diagnostics)};
}

ActionOn read_clock(const MapReader& map, std::string_view key, Diagnostics& diagnostics) {
  const YamlNode* value = map.find(key);
  if (!value || value->kind != YamlNode::Kind::map) {
    map.error(key, "must be a map: {on: h1, by: 5s}, or by: -5s");
    return {.action = fault::ClockStep{}, .on = {}};
  }
  const MapReader clock(*value, map.path_of(key), keys::kClock, diagnostics);
  fault::ClockStep step;
  const std::string by = clock.text("by").value_or("");
  const bool back = by.starts_with('-');
  if (const auto time = parse_duration(std::string_view(by).substr(back ? 1 : 0)); time) {
    step.by = back ? -*time : *time;
    if (step.by == Milliseconds{0}) clock.error("by", "moves the clock by nothing");
  } else {
    clock.error("by", "says how far the clock jumps: 5s, or -5s for back; " + time.error().text());
  }
  return {.action = step, .on = read_target(clock, "on", diagnostics)};
}

class FaultReader {
 public:
  FaultReader(std::size_t index, const YamlNode& node, Diagnostics& diagnostics)
      : path_("faults[" + std::to_string(index) + "]"),
        map_(node, path_, keys::kFault, diagnostics),
        diagnostics_(diagnostics) {}

  Fault read() {
    Fault fault;
    fault.mark = map_.mark();
    fault.name = map_.text("name").value_or("");
    read_action(fault);
    read_times(fault);
    return fault;
  }

 private:
  void read_action(Fault& fault) {
    std::vector<std::string_view> found;
    for (std::string_view key : keys::kFaultActions) {
      if (map_.find(key)) found.push_back(key);
    }
    if (found.size() == 1) {
      auto [action, on] = read_fault_action(map_, found.front(), found.front(), diagnostics_);
      fault.action = std::move(action);
      fault.on = std::move(on);
      return;
    }
    std::string known;
    for (std::string_view key : keys::kFaultActions)
      known += (known.empty() ? "" : ", ") + std::string(key);
    diagnostics_.error(map_.mark(), path_,
                       found.empty() ? "says nothing to do; add one of " + known
                                     : "does two things, " + std::string(found[0]) + " and " +
                                           std::string(found[1]) + "; make them two faults");
  }

  void read_times(Fault& fault) {
    const auto at = map_.duration("at");
    fault.every = map_.duration("every");
    fault.until = map_.duration("until");
    fault.lasts = map_.duration("for");
    if (map_.find("between")) return read_between(fault);
    if (!map_.find("at") && !map_.find("every"))
      diagnostics_.error(map_.mark(), path_, "says not when; add at, every or between");
    fault.at = at.value_or(fault.every.value_or(Milliseconds{0}));
    if (map_.find("every") && !map_.find("until"))
      map_.error("every", "needs an end; add until: 10s");
    if (map_.find("until") && !map_.find("every"))
      map_.error("until", "ends what is repeated; add every, or use for");
    if (fault.every && *fault.every < kShortestPeriod) map_.error("every", "must be at least 10ms");
    if (fixed_times(fault).size() > kMaxStrikes)
      map_.error("every", "strikes more than " + std::to_string(kMaxStrikes) + " times");
    if (fault.every && fault.until && fault.at > *fault.until)
      map_.error("until", "is before it begins");
    check_length(fault);
  }

  void read_between(Fault& fault) {
    for (std::string_view key : {"at", "every", "until"}) {
      if (map_.find(key)) map_.error(key, "does not go with between");
    }
    const std::vector<std::string> ends = map_.texts("between");
    const auto first = ends.size() == 2 ? parse_duration(ends[0]) : Result<Milliseconds>{};
    const auto last = ends.size() == 2 ? parse_duration(ends[1]) : Result<Milliseconds>{};
    if (ends.size() != 2 || !first || !last || *first >= *last) {
      map_.error("between", "must be two times, the earlier first: [2s, 5s]");
      return;
    }
    fault.at = *first;
    fault.latest = *last;
    check_length(fault);
  }

  void check_length(const Fault& fault) {
    const Milliseconds end =
        std::max(fault.latest.value_or(fault.at), fault.until.value_or(fault.at));
    if (end + fault.lasts.value_or(Milliseconds{0}) > kLongestTimeline)
      diagnostics_.error(map_.mark(), path_, "a timeline is at most 1h long");
    if (!fault.lasts) return;
    if (*fault.lasts == Milliseconds{0}) map_.error("for", "undoes it at once");
    if (std::holds_alternative<fault::Restart>(fault.action) ||
        std::holds_alternative<fault::RestartDaemon>(fault.action))
      map_.error("for", "has nothing to undo: a restart ends by itself");
    if (fault.every && *fault.lasts > *fault.every)
      map_.error("for", "is longer than every: it would strike again before it is undone");
  }

  std::string path_;
  MapReader map_;
  Diagnostics& diagnostics_;
};

template <class Read>
void read_list(const YamlNode& list, const char* path, Diagnostics& diagnostics, Read read) {
  if (list.kind != YamlNode::Kind::list) {
    diagnostics.error(list.mark, path, "must be a list");
    return;
  }
  if (list.items.size() > kMaxFaults) {
    diagnostics.error(list.mark, path, "more than " + std::to_string(kMaxFaults));
    return;
  }
  for (std::size_t i = 0; i < list.items.size(); ++i) read(i, list.items[i]);
}

}  // namespace

std::string_view name_of(const FaultAction& action) {
  return keys::kFaultActions[action.index()];
}

std::vector<Milliseconds> fixed_times(const Fault& fault) {
  if (fault.latest) return {};
  std::vector<Milliseconds> out{fault.at};
  if (!fault.every || !fault.until || *fault.every < kShortestPeriod) return out;
  for (Milliseconds at = fault.at + *fault.every; at <= *fault.until && out.size() <= kMaxStrikes;
       at += *fault.every)
    out.push_back(at);
  return out;
}

ActionOn read_fault_action(const MapReader& map, std::string_view key, std::string_view action,
                           Diagnostics& diagnostics) {
  if (action == "impair") return read_impair(map, key, diagnostics);
  if (action == "clock") return read_clock(map, key, diagnostics);
  if (action == "partition") return {.action = read_partition(map, key, diagnostics), .on = {}};
  ActionOn out{.action = fault::Kill{}, .on = read_target(map, key, diagnostics)};
  if (action == "restart") out.action = fault::Restart{};
  if (action == "stop") out.action = fault::Stop{};
  if (action == "kill-daemon") out.action = fault::KillDaemon{};
  if (action == "restart-daemon") out.action = fault::RestartDaemon{};
  if (action == "pause") out.action = fault::Pause{};
  if (action == "cut") out.action = fault::Cut{};
  if (action == "disk-full") out.action = fault::DiskFull{};
  return out;
}

void read_faults(const YamlNode& faults, Lab& lab, Diagnostics& diagnostics) {
  read_list(faults, "faults", diagnostics, [&](std::size_t index, const YamlNode& node) {
    lab.faults.push_back(FaultReader(index, node, diagnostics).read());
  });
}

void read_fidelity(const YamlNode& fidelity, Lab& lab, Diagnostics& diagnostics) {
  const MapReader map(fidelity, "fidelity", keys::kFidelity, diagnostics);
  if (const auto most = map.duration("max-delay-error")) lab.fidelity.max_delay_error = *most;
  if (const auto most = map.duration("max-stall")) lab.fidelity.max_stall = *most;
}

}  // namespace heddle::format
